"""Which key signs, and that what it signs is what a host believes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.statement import Kind
from fairway.engine.contract.trust import PublicKey, Role
from fairway.engine.gate.checking import judge
from fairway.evidence.sign import SigningKey, choose_key, find_key, sign
from tests.unit.engine.gate.signers import key, keys, private_key, public_key, statement

APPROVED = statement(Kind.APPROVED)
ANN = public_key("ann@example.com")


def believed(name: str, signing: SigningKey) -> bool:
    signed = sign(APPROVED, signing, Role.REVIEWER)
    (verdict,) = judge(keys(key(name, Role.REVIEWER)), [signed], datetime(2026, 2, 1, tzinfo=UTC))
    return verdict.valid


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a key, an agent, or a setting of Git's."""
    for name in ("SSH_AUTH_SOCK", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "XDG_CONFIG_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.fixture
def agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An agent of the user's own, without a key."""
    socket = home / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    try:
        while subprocess.run(["ssh-add", "-l"], capture_output=True, check=False).returncode == 2:
            assert process.poll() is None
        yield socket
    finally:
        process.terminate()
        process.wait()


def load(owner: str) -> None:
    subprocess.run(["ssh-add", "-q", private_key(owner)], check=True, capture_output=True)


def git(home: Path, *settings: tuple[str, str]) -> None:
    for name, value in settings:
        subprocess.run(["git", "config", "--file", home / ".gitconfig", name, value], check=True)


def test_the_key_that_is_named_goes_before_all(tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("a key")
    chosen = choose_key(file, git_key="/gits", in_agent=[ANN], usual=[tmp_path])
    assert (chosen.key, chosen.named_by) == (file, "--key")
    with pytest.raises(Invalid, match="there is no key"):
        choose_key(tmp_path / "none", git_key="", in_agent=[ANN], usual=[])


@pytest.mark.parametrize("literal", [f"key::{ANN}", f"{ANN} ann"], ids=["marked", "plain"])
def test_git_may_name_the_key_itself(literal: str) -> None:
    chosen = choose_key(None, git_key=literal, in_agent=[], usual=[])
    assert (chosen.key, chosen.named_by) == (ANN, "user.signingkey of Git")


def test_the_agent_s_only_key_goes_before_the_usual_one_and_several_do_not() -> None:
    usual, ben = [Path("/home/ann/.ssh/id_ed25519")], public_key("ben@example.com")
    assert choose_key(None, git_key="", in_agent=[ANN], usual=usual).key == ANN
    assert choose_key(None, git_key="", in_agent=[ANN, ben], usual=usual).key == usual[0]
    with pytest.raises(Invalid, match="not clear which key") as caught:
        choose_key(None, git_key="", in_agent=[ANN, ben], usual=[])
    assert "--key" in caught.value.hint
    with pytest.raises(Invalid, match="no key to sign with"):
        choose_key(None, git_key="", in_agent=[], usual=[])


def test_a_private_key_s_file_signs(home: Path) -> None:
    assert believed("ann@example.com", find_key(private_key("ann@example.com"), home))


def test_the_agent_signs_for_a_public_key(agent: Path, home: Path) -> None:
    load("ann@example.com")
    alone = home / "ann.pub"
    alone.write_text(str(ANN))
    assert believed("ann@example.com", find_key(alone, home))
    found = find_key(None, home)
    assert found.named_by == "the SSH agent"
    assert believed("ann@example.com", found)


def test_the_key_that_git_signs_with_signs(agent: Path, home: Path) -> None:
    load("ann@example.com")
    load("ben@example.com")
    git(home, ("user.signingkey", str(public_key("ben@example.com"))))
    with pytest.raises(Invalid, match="not clear"):  # it is a key of GnuPG's, as far as Git is told
        find_key(None, home)
    git(home, ("gpg.format", "ssh"))
    assert believed("ben@example.com", find_key(None, home))


def test_git_s_key_may_be_a_file_of_the_home_directory(home: Path) -> None:
    (home / ".ssh" / "work").write_bytes(private_key("ann@example.com").read_bytes())
    (home / ".ssh" / "work").chmod(0o600)
    (home / ".ssh" / "work.pub").write_text(str(ANN))
    git(home, ("gpg.format", "ssh"), ("user.signingkey", "~/.ssh/work.pub"))
    assert believed("ann@example.com", find_key(None, home))


def test_the_usual_key_signs(home: Path) -> None:
    (home / ".ssh" / "id_ed25519").write_bytes(private_key("ann@example.com").read_bytes())
    (home / ".ssh" / "id_ed25519").chmod(0o600)
    (home / ".ssh" / "id_ed25519.pub").write_text(str(ANN))
    found = find_key(None, home)
    assert found.named_by == "the usual one"
    assert believed("ann@example.com", found)


def test_a_key_that_cannot_be_used_is_named_with_the_reason(home: Path) -> None:
    key_file = home / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", key_file], check=True)
    with pytest.raises(Failed, match="cannot be used") as caught:
        sign(APPROVED, SigningKey(key_file, "--key"), Role.REVIEWER)
    assert str(key_file) in caught.value.what
    assert caught.value.why
    with pytest.raises(Failed):
        sign(APPROVED, SigningKey(PublicKey(ANN), "the SSH agent"), Role.REVIEWER)


def test_a_passphrase_is_asked_for_on_the_terminal(home: Path) -> None:
    key_file = home / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", key_file], check=True)
    child, terminal = os.forkpty()
    if child == 0:  # pragma: no cover - another process
        try:
            sign(APPROVED, SigningKey(key_file, "--key"), Role.REVIEWER)
            os._exit(0)
        finally:
            os._exit(1)
    said = b""
    while b"passphrase" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"a passphrase\n")
    while True:  # a terminal whose other end is closed ends with an error, not with nothing
        try:
            said += os.read(terminal, 1000)
        except OSError:
            break
    _, code = os.waitpid(child, 0)
    assert code == 0, said.decode()
