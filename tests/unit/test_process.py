"""The one module of the control side that runs processes."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from pathlib import Path

import pytest

import fairway
from fairway.config.environment import VARIABLES
from fairway.engine.contract.errors import Failed
from fairway.process import OWN_SECRETS, PIPELINE_SUFFIXES, in_foreground, run, stream
from fairway.remote.transport import LocalTransport


def test_a_process_is_run_to_its_end() -> None:
    done = run(["sh", "-c", "cat; echo err >&2; exit 3"], input="in")
    assert (done.returncode, done.stdout, done.stderr) == (3, "in", "err\n")


def test_a_failure_shows_the_end_of_what_was_said() -> None:
    done = run(["sh", "-c", "seq 100 >&2; exit 1"])
    with pytest.raises(Failed) as caught:
        done.or_fail("counting failed", hint="count less")
    assert (caught.value.what, caught.value.hint) == ("counting failed", "count less")
    assert caught.value.why.splitlines() == [str(n) for n in range(81, 101)]
    assert run(["echo", "x"]).or_fail("echo failed") == "x\n"


def test_a_silent_failure_shows_the_exit_code() -> None:
    with pytest.raises(Failed) as caught:
        run(["false"]).or_fail("it failed")
    assert caught.value.why == "false ended with exit code 1"


def test_a_missing_program_is_said_with_what_to_install() -> None:
    for start in (run, lambda argv: stream(argv, print)):
        with pytest.raises(Failed, match="no-such-program is not installed"):
            start(["no-such-program"])


def test_a_missing_directory_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"the directory .* does not exist"):
        run(["true"], cwd=tmp_path / "nowhere")


def test_a_process_that_takes_too_long_is_ended() -> None:
    with pytest.raises(Failed, match=r"sleep 60 did not finish within 0\.05 s"):
        run(["sleep", "60"], timeout_s=0.05)


def test_bytes_that_are_no_text_do_not_matter() -> None:
    assert run(["printf", r"\377"]).stdout == "\ufffd"


def test_lines_come_one_by_one_from_both_streams() -> None:
    lines: list[str] = []
    done = stream(["sh", "-c", "echo a; echo b >&2; exit 2"], lines.append)
    assert (lines, done.returncode, done.tail) == (["a", "b"], 2, "a\nb")


def test_a_process_is_ended_when_nobody_wants_its_lines() -> None:
    def enough(line: str) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        stream(["sh", "-c", "echo a; exec sleep 60"], enough)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("given", [None, "a dictionary"])
def test_what_a_pipeline_hands_to_fairway_goes_to_no_other_program(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for prefix in ("STAGING", "PROD", "MY_OWN"):
        for suffix in PIPELINE_SUFFIXES:
            monkeypatch.setenv(prefix + suffix, "canary")
    for name in OWN_SECRETS:
        monkeypatch.setenv(name, "canary")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    env = dict(os.environ) if given else None
    lines: list[str] = []
    stream(["env"], lines.append, env=env)
    for said in (run(["env"], env=env).stdout, "\n".join(lines)):
        assert "canary" not in said
        assert "SSH_AUTH_SOCK=/run/agent" in said
        assert "DOCKER_HOST=unix:///run/docker.sock" in said


def test_ssh_is_not_handed_what_a_pipeline_hands_to_fairway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_GHCR_TOKEN", "canary")
    process = LocalTransport().start(["env"])
    assert b"canary" not in process.communicate()[0]


def test_every_variable_of_an_environment_is_held_back() -> None:
    assert {f"_{name}" for name in VARIABLES} == set(PIPELINE_SUFFIXES)


def test_every_secret_that_is_for_fairway_alone_is_held_back() -> None:
    package = Path(fairway.__file__).parent
    ours = (path for path in package.rglob("*.py") if "engine" not in path.relative_to(package).parts)
    source = "\n".join(path.read_text() for path in ours)
    named = set(re.findall(r'"(FAIRWAY_[A-Z_]*(?:TOKEN|SECRET|PASSWORD|KEY))"', source))
    assert named == set(OWN_SECRETS)


def test_an_editor_is_not_handed_what_a_pipeline_hands_to_fairway(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STAGING_GHCR_TOKEN", "hunter2")
    monkeypatch.setenv("ANYTHING_ELSE", "visible")
    assert in_foreground(["env"]) == 0
    said = capfd.readouterr().out
    assert "ANYTHING_ELSE=visible" in said
    assert "hunter2" not in said


def test_a_program_that_is_unattended_has_no_terminal_to_ask_on(tmp_path: Path) -> None:
    key, file = tmp_path / "key", tmp_path / "file"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(key)]).or_fail("no key")
    file.write_text("x")
    code = (
        "import sys; from fairway import process; "
        "argv = ['ssh-keygen', '-q', '-Y', 'sign', '-n', 'x', '-f', sys.argv[1], sys.argv[2]]; "
        "print(process.unattended(argv, timeout_s=20).tail)"
    )
    # With a terminal of its own, which whoever started the dashboard has.
    pid, terminal = os.forkpty()
    if pid == 0:
        environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
        os.execve(sys.executable, [sys.executable, "-c", code, str(key), str(file)], environment)
    said = b""
    with os.fdopen(terminal, "rb", buffering=0) as stream, contextlib.suppress(OSError):
        while part := stream.read(4096):
            said += part
    os.waitpid(pid, 0)
    assert b"incorrect passphrase" in said
