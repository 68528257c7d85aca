"""Where a dashboard listens, and who can get there."""

from __future__ import annotations

import grp
import os
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairway.dashboard.opening import opened
from fairway.dashboard.serving import listen_at, listen_here
from fairway.engine.contract.errors import Invalid

CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that everybody can go into, as ``/run/fairway-ui`` is."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "ui.sock"


def _connects(path: Path, user: int, group: int) -> bool:
    tried = subprocess.run(
        ["/usr/bin/python3", "-c", CONNECT, path],
        user=user,
        group=group,
        extra_groups=[],
        capture_output=True,
        text=True,
    )
    assert tried.returncode == 0 or "PermissionError" in tried.stderr, tried.stderr
    return tried.returncode == 0


def test_a_socket_is_this_users_alone(place: Path) -> None:
    os.umask(before := os.umask(0o000))
    with listen_at(place, None):
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
        assert os.umask(before) == before
    assert not place.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as others")
def test_a_socket_that_was_handed_over_is_the_groups_and_nobody_elses(place: Path) -> None:
    proxy = grp.getgrnam("www-data").gr_gid
    with listen_at(place, "www-data"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o660
        assert _connects(place, 65534, proxy)
        assert not _connects(place, 65534, 65534)


def test_a_socket_where_others_could_put_their_own_is_refused(place: Path) -> None:
    place.parent.chmod(0o1777)
    with pytest.raises(Invalid, match="everybody can write"), listen_at(place, None):
        pass
    place.parent.chmod(0o755)
    for path in (Path("ui.sock"), place.parent / "nowhere" / "ui.sock"):
        with pytest.raises(Invalid, match="full path"), listen_at(path, None):
            pass
    with pytest.raises(Invalid, match="no group"), listen_at(place, "no-such-group"):
        pass
    assert not place.exists()


def test_what_a_dashboard_left_that_was_killed_is_taken_away_and_nothing_else(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(place))
    with listen_at(place, None), pytest.raises(Invalid, match="in use"), listen_at(place, None):
        pass
    place.write_text("a file of somebody's")
    with pytest.raises(Invalid, match="no socket"), listen_at(place, None):
        pass
    assert place.read_text() == "a file of somebody's"


def test_a_port_is_this_machines_alone_and_taken_at_once() -> None:
    with listen_here(0) as listener:
        name, port = listener.getsockname()
        assert name == "127.0.0.1"
        with pytest.raises(Invalid, match="cannot be had"):
            listen_here(port)


def test_the_browser_is_told_the_address_in_a_file_that_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("webbrowser.open", asked.append)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with opened('http://127.0.0.1:8420/?token=abc"&x'):
        (url,) = asked
        file = Path(url.removeprefix("file://"))
        assert "token" not in url
        assert tmp_path in file.parents
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert 'content="0;url=http://127.0.0.1:8420/?token=abc&quot;&amp;x"' in file.read_text()
    assert not file.exists()
    assert list(tmp_path.iterdir()) == []
