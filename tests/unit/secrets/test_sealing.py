"""Environment files that are encrypted with age: opened by whom they are meant for, edited where no disk is."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import pytest

from fairway.engine.contract.environment import Condition, EnvironmentFile
from fairway.engine.contract.errors import Failed, Invalid
from fairway.secrets.editing import checked, edit, template
from fairway.secrets.sealing import read_identities, seal, unseal

TEXT = "A='größe $x'\n"


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    path = tmp_path / "key.txt"
    path.write_text(f"# my key\n{pyrage.x25519.Identity.generate()}\n")
    return path


def public(path: Path) -> str:
    return str(pyrage.x25519.Identity.from_str(path.read_text().split()[-1]).to_public())


def test_who_is_named_can_open_it_and_nobody_else(tmp_path: Path, identity: Path) -> None:
    other = pyrage.x25519.Identity.generate()
    sealed = seal(TEXT, [public(identity), str(other.to_public()), public(identity)])
    assert sealed.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----")
    assert unseal(sealed, read_identities(identity), "f") == unseal(sealed, [other], "f") == TEXT
    with pytest.raises(Invalid, match="cannot be opened with your key"):
        unseal(sealed, [pyrage.x25519.Identity.generate()], "f")


def test_an_ssh_key_opens_it_too(tmp_path: Path) -> None:
    key = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f", str(key)], check=True)
    sealed = seal(TEXT, [key.with_suffix(".pub").read_text().strip()])
    assert unseal(sealed, read_identities(key), "f") == TEXT


def test_an_altered_file_is_refused(identity: Path) -> None:
    sealed = bytearray(seal(TEXT, [public(identity)]))
    sealed[-50] ^= 1
    with pytest.raises(Invalid, match="cannot be opened"):
        unseal(bytes(sealed), read_identities(identity), "f")


@pytest.mark.parametrize(
    "content", ["", "AGE-SECRET-KEY-1NOTONE\n", "age1abc\n", "-----BEGIN OPENSSH PRIVATE KEY-----\n"]
)
def test_a_file_without_a_usable_key_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key"
    path.write_text(content)
    with pytest.raises(Invalid, match="holds no key") as caught:
        read_identities(path)
    assert not content.strip() or content.strip() not in str(caught.value)
    with pytest.raises(Invalid, match="cannot be read"):
        read_identities(tmp_path / "none")


def test_a_recipient_that_is_none_is_named() -> None:
    with pytest.raises(Invalid, match="not a recipient"):
        seal(TEXT, ["age1" + "q" * 58])


def editor(tmp_path: Path, script: str) -> dict[str, str]:
    path = tmp_path / "editor.py"
    path.write_text(f"import os, stat, sys, time\nfrom pathlib import Path\nfile = Path(sys.argv[1])\n{script}\n")
    return {"EDITOR": f"{shlex.quote(sys.executable)} {shlex.quote(str(path))}"}


def test_an_editor_gets_the_text_for_itself_alone_and_nothing_is_left(tmp_path: Path) -> None:
    told = tmp_path / "told"
    environ = editor(
        tmp_path,
        f"modes = [oct(stat.S_IMODE(p.stat().st_mode)) for p in (file, file.parent)]\n"
        f"Path({str(told)!r}).write_text(' '.join([str(file), *modes, file.read_text()]))\n"
        "Path(str(file) + '~').write_text('a copy of the editor')\nfile.write_text('A=2\\n')",
    )
    assert edit("A=1\n", "staging.env", environ, lambda line: None) == "A=2\n"
    path, *modes, before = told.read_text().split(" ")
    assert (modes, before) == (["0o600", "0o700"], "A=1\n")
    assert not Path(path).parent.exists()
    mounted = subprocess.run(["stat", "-f", "-c", "%T", "/dev/shm"], capture_output=True, text=True, check=True)
    assert mounted.stdout.strip() == "tmpfs"
    assert path.startswith("/dev/shm/")


def test_an_editor_that_fails_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="exit code 3"):
        edit("A=1\n", "x.env", editor(tmp_path, "sys.exit(3)"), lambda line: None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left_when_it_is_asked_to_end(tmp_path: Path, number: signal.Signals) -> None:
    told = tmp_path / "told"
    environ = editor(tmp_path, f"Path({str(told)!r}).write_text(str(file))\ntime.sleep(60)")
    program = "import os, sys\nfrom fairway.secrets.editing import edit\nedit('A=1\\n', 'x.env', os.environ, print)"
    process = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, **environ}, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while not (told.exists() and told.read_text()):
        assert time.monotonic() < deadline, "the editor was not started"
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(20) != 0
    assert not Path(told.read_text()).parent.exists()


def test_every_line_that_cannot_be_taken_is_told_and_no_value() -> None:
    with pytest.raises(Invalid, match="2 lines") as caught:
        checked('A="hunter2"\nB=1\nC=$hunter2\n')
    assert "line 1: the value of A" in caught.value.why
    assert "line 3: the value of C" in caught.value.why
    assert "hunter2" not in str(caught.value)


def test_a_new_file_begins_with_what_is_declared() -> None:
    rules = EnvironmentFile(".env", ("A", "B"), ("C", "D"), (Condition("D", "C"),))
    text = checked(template(rules))
    assert [line for line in text.splitlines() if not line.startswith("#")] == ["A=", "B=", "D=", "C="]


def test_a_key_with_several_conditions_is_written_once_with_each_of_them() -> None:
    rules = EnvironmentFile(".env", (), (), (Condition("D", "A"), Condition("E", "A"), Condition("D", "B", "on")))
    assert checked(template(rules)).splitlines()[1:] == [
        "# required when A is set",
        "# required when B is 'on'",
        "D=",
        "# required when A is set",
        "E=",
    ]
