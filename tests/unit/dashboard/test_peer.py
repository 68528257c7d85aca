"""Whose a connection on the loopback is, as Linux says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fairway.dashboard.access.own import OwnAccess
from fairway.dashboard.access.peer import is_somebody_else
from tests.unit.dashboard.hosts import Host, dashboard

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
CLIENT, SERVER = ("127.0.0.1", 50000), ("127.0.0.1", 8420)
PAIR = "0100007F:C350 0100007F:20E4" if sys.byteorder == "little" else "7F000001:C350 7F000001:20E4"


def _line(pair: str, uid: int, inode: int = 4711) -> str:
    return f"   1: {pair} 01 00000000:00000000 00:00000000 00000000 {uid:5d}        0 {inode} 1 0000 20 4 30 10 -1\n"


@pytest.mark.parametrize(
    ("line", "another"),
    [
        (_line(PAIR, 1000), False),
        (_line(PAIR, 0), False),
        (_line(PAIR, 1001), True),
        # Closed by its program, which did not wait for the answer: the system no longer says whose it was.
        (_line(PAIR, 0, inode=0), True),
        # The end of the dashboard itself says nothing.
        (_line(" ".join(reversed(PAIR.split())), 1000), True),
        ("", True),
    ],
)
def test_a_connection_is_its_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, another: bool) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    table = tmp_path / "tcp"
    table.write_text(HEAD + line)
    assert is_somebody_else(CLIENT, SERVER, [table]) is another


def test_whoever_became_root_to_start_it_is_still_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "tcp"
    table.write_text(HEAD + _line(PAIR, 1000))
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert not is_somebody_else(CLIENT, SERVER, [table])
    # Anybody can set a variable.
    monkeypatch.setattr(os, "getuid", lambda: 1001)
    assert is_somebody_else(CLIENT, SERVER, [table])


def test_where_the_system_does_not_say_it_nobody_is_kept_out(tmp_path: Path) -> None:
    assert not is_somebody_else(CLIENT, SERVER, [tmp_path / "no such table"])


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="only root can try it as another user")
def test_another_users_connection_is_told_from_ones_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        for family, name in (("AF_INET", "127.0.0.1"), ("AF_INET6", "::ffff:127.0.0.1")):
            program = (
                f"import socket; s = socket.socket(socket.{family}); s.connect(('{name}', {address[1]})); s.recv(1)"
            )
            for user, another in ((0, False), (65534, True)):
                with subprocess.Popen(["/usr/bin/python3", "-c", program], user=user, extra_groups=[]):
                    connection, client = server.accept()
                    with connection:
                        assert is_somebody_else(client, address) is another


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a connection is")
def test_another_user_is_not_let_in_with_a_cookie_that_was_lured_away(tmp_path: Path) -> None:
    access = OwnAccess("ada@laptop", 80)
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}, access) as client:
        client.get("/", params={"token": access.new_token()})
        assert client.get("/").status_code == 200
        # A port that no connection of this machine has, so not one of this user's either.
        other = TestClient(client.app, base_url="http://127.0.0.1", client=("127.0.0.1", 1), cookies=client.cookies)
        for path in ("/", "/api/environments"):
            assert other.get(path).status_code == 403
        assert other.get("/", params={"token": access.new_token()}).status_code == 403
