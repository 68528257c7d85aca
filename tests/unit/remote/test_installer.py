"""The installer, run by root for a deploy user: who owns what afterwards, and what it does not fall for."""

from __future__ import annotations

import base64
import hashlib
import os
import pwd
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from fairway.remote import installer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of another's")
# Nobody's group is not its own everywhere.
USER = "daemon"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    before = os.umask(0o077)
    os.umask(before)
    monkeypatch.setattr(os, "umask", lambda mask: before)
    return tmp_path / "deploy"


def _install(root: Path, content: bytes = b"engine", user: str | None = USER) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return installer.install(
        str(root), f"fairway-engine-{digest[:16]}.pyz", base64.b64encode(content).decode(), digest, user
    )


def _seen(path: Path) -> tuple[int, str]:
    found = path.lstat()
    return found.st_uid, f"{stat.S_IMODE(found.st_mode):o}"


def test_root_owns_the_engine_the_trust_and_the_way_to_them(root: Path) -> None:
    for _ in range(2):
        assert "error" not in _install(root)
    own = root / ".fairway"
    assert _seen(root) == _seen(own) == (0, "1775")
    assert _seen(own / "engine") == _seen(own / "trust") == (0, "755")
    assert _seen((own / "engine" / "current").resolve()) == (0, "755")
    assert _seen(own / "deployments") == (pwd.getpwnam(USER).pw_uid, "700")


def test_an_older_engine_goes_unless_it_runs(root: Path) -> None:
    _install(root, b"first")
    _install(root, b"second")
    assert len(list((root / ".fairway" / "engine").glob("*.pyz"))) == 1


def test_what_the_deploy_user_kept_is_copied_and_only_what_is_what_it_says(root: Path) -> None:
    user = pwd.getpwnam(USER)
    _install(root, b"before", user=None)
    engines, trust = root / ".fairway" / "engine", root / ".fairway" / "trust"
    trust.mkdir()
    (trust / "keys.json").write_text("{}")
    (trust / "policy.json").symlink_to("/etc/passwd")
    (trust / "more").write_text("x")
    (engines / f"fairway-engine-{'0' * 16}.pyz").write_text("planted")
    (root / ".fairway" / "deployments").mkdir()
    for path in [root, *root.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    (before,) = [path for path in engines.glob("*.pyz") if path.read_bytes() == b"before"]
    held = os.open(before, os.O_WRONLY)
    try:
        done = _install(root, b"after")
        os.write(held, b"forged")
    finally:
        os.close(held)
    assert done["taken_over"] == [f"engine/{before.name}", "trust/keys.json"]
    assert before.read_bytes() == b"before"
    assert sorted(path.name for path in trust.iterdir()) == ["keys.json"]
    assert {_seen(path)[0] for path in (engines, trust, *engines.iterdir(), *trust.iterdir())} == {0}
    assert sorted(path.name for path in (root / ".fairway").iterdir()) == ["deployments", "engine", "trust"]


@pytest.mark.parametrize("name", ["", ".fairway"])
def test_a_link_in_the_way_is_not_followed(root: Path, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    before = _seen(elsewhere)
    if name:
        root.mkdir()
    (root / name if name else root).symlink_to(elsewhere)
    assert "error" in _install(root)
    assert _seen(elsewhere) == before


def test_a_linked_engine_directory_is_replaced_and_not_followed(root: Path, tmp_path: Path) -> None:
    user = pwd.getpwnam(USER)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / ".fairway").mkdir(parents=True)
    (root / ".fairway" / "engine").symlink_to(elsewhere)
    os.chown(root / ".fairway" / "engine", user.pw_uid, user.pw_gid, follow_symlinks=False)
    assert "error" not in _install(root)
    assert list(elsewhere.iterdir()) == []
    assert _seen(root / ".fairway" / "engine") == (0, "755")


@pytest.mark.parametrize(
    ("prepare", "what"),
    [
        (lambda root: os.chown(root.parent, 65534, 65534), "others can move away"),
        (lambda root: root.parent.chmod(0o777), "others can move away"),
    ],
)
def test_a_way_that_others_could_change_is_refused(root: Path, prepare: Any, what: str) -> None:
    prepare(root)
    assert what in _install(root)["error"]["what"]
    assert not root.exists()


def test_root_and_nobody_known_are_no_deploy_users(root: Path) -> None:
    assert "the deploy user is root" in _install(root, user="root")["error"]["what"]
    assert "the host has no user" in _install(root, user="no-such-user")["error"]["what"]


def test_a_group_that_others_are_in_is_not_the_deploy_user_s_own(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = pwd.getpwnam(USER)
    other = pwd.struct_passwd(("eve", "x", 4242, user.pw_gid, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [user, other])
    error = _install(root)["error"]
    assert ("has others in it" in error["what"], error["why"]) == (True, "eve")


def test_another_s_deployments_stay_another_s(root: Path) -> None:
    (root / ".fairway" / "deployments").mkdir(parents=True)
    assert "belongs to another user" in _install(root)["error"]["what"]


def test_where_root_keeps_the_engine_the_deploy_user_is_told_who_may(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(root)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    error = _install(root, user=None)["error"]
    assert (error["exit_code"], "only an administrator" in error["what"]) == (3, True)
