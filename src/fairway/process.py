"""The one module of the control side that runs processes.

Arguments are lists and never hold a secret; a secret goes through the environment
or standard input. Nothing here redacts, because there is nothing to redact. What a pipeline
hands over to Fairway itself goes to no other program: see :func:`child_environment`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fairway.engine.contract.errors import Failed

_TAIL_LINES = 20
_GRACE_S = 10.0
_HINTS = {
    "docker": "install Docker Engine with its buildx and compose plugins, or name it in FAIRWAY_DOCKER",
    "git": "install git",
    "ssh": "install the OpenSSH client",
    "ssh-keygen": "install the OpenSSH client",
}

#: How the variables end that a pipeline hands its secrets over in, whatever an environment's prefix.
PIPELINE_SUFFIXES = (
    "_SSH_HOST",
    "_SSH_PORT",
    "_SSH_USER",
    "_SSH_KEY",
    "_DEPLOY_PATH",
    "_APP_HOST_PORT",
    "_GHCR_USERNAME",
    "_GHCR_TOKEN",
)
#: Secrets of Fairway's own. Those that other tools know by their names, as GITHUB_TOKEN, may be meant for these, too.
OWN_SECRETS = ("FAIRWAY_GITHUB_TOKEN", "FAIRWAY_OIDC_CLIENT_SECRET")


def child_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment, this process's unless another is given, without what was meant for Fairway alone.

    A build's own steps, Git's hooks and filters and every plugin of Docker would inherit the key to the
    hosts otherwise. No program needs it from there: ssh gets a file, a host's registry login goes
    over the connection.
    """
    given = os.environ if environ is None else environ
    return {
        name: value
        for name, value in given.items()
        if not name.upper().endswith(PIPELINE_SUFFIXES) and name not in OWN_SECRETS
    }


class Started(Protocol):
    """A process that runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return the exit code. Raises ``TimeoutExpired``."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...


@dataclass(frozen=True)
class Completed:
    """How a process ended, and what it said.

    After ``stream`` the output was handed over line by line; ``stderr`` then holds
    the last lines of both streams, for an error message.
    """

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def tail(self) -> str:
        """The end of what it said: standard error, or standard output when that is empty."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return "\n".join(lines[-_TAIL_LINES:])

    def or_fail(self, what: str, *, hint: str = "") -> str:
        """Return the standard output. Raises ``Failed`` with the tail when the exit code is not 0."""
        if self.returncode != 0:
            program = Path(self.argv[0]).name
            raise Failed(what, why=self.tail or f"{program} ended with exit code {self.returncode}", hint=hint)
        return self.stdout


def run(
    argv: Sequence[str],
    *,
    input: str | None = None,  # noqa: A002 - the name subprocess gives it
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 120.0,
) -> Completed:
    """Run a process to its end, whatever its exit code.

    ``env`` replaces the environment. Raises ``Failed`` when the program is missing,
    cannot be started, or runs longer than ``timeout_s`` (it is then killed).

    >>> run(["git", "--version"]).or_fail("git does not work").startswith("git version")
    True
    """
    stdin: dict[str, Any] = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    return _to_the_end(argv, timeout_s, env=child_environment(env), cwd=cwd, **stdin)


def stream(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Completed:
    """Run a process, handing over each line of both its streams as it comes.

    When ``on_line`` raises, or the user interrupts, the process is asked to end and
    waited for before the exception goes on. Raises ``Failed`` when it cannot be started.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    try:
        process = subprocess.Popen(
            list(argv),
            env=child_environment(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise _cannot_start(argv, cwd, error) from None
    with process:
        try:
            for raw in process.stdout or ():
                line = raw.rstrip("\n")
                tail.append(line)
                on_line(line)
            returncode = process.wait()
        except BaseException:
            _end(process)
            raise
    return Completed(tuple(argv), returncode, "", "\n".join(tail))


def converse(argv: Sequence[str]) -> Completed:
    """Run a process that may ask whoever sits at the terminal for something, such as a passphrase, to its end.

    What it says goes to standard error as it comes, and is not returned; where that is no
    terminal there is nobody to ask, and it is kept for an error message instead.
    """
    attended = sys.stderr.isatty()
    try:
        done = subprocess.run(
            list(argv),
            stdin=None if attended else subprocess.DEVNULL,
            stdout=sys.stderr if attended else subprocess.PIPE,
            stderr=None if attended else subprocess.PIPE,
            env=child_environment(),
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise _cannot_start(argv, None, error) from None
    return Completed(tuple(argv), done.returncode, done.stdout or "", done.stderr or "")


def unattended(argv: Sequence[str], *, timeout_s: float = 120.0) -> Completed:
    """Run a program of OpenSSH to its end that would ask at the terminal, where nobody is to be asked there.

    It has no terminal at all: what it would ask for, it goes without. A touch of a key
    is waited for. Raises ``Failed`` as :func:`run`.
    """
    return _to_the_end(
        argv,
        timeout_s,
        stdin=subprocess.DEVNULL,
        # Without it a program opens the terminal of its session, whatever its own streams are.
        start_new_session=True,
        env={**child_environment(), "SSH_ASKPASS_REQUIRE": "never"},
    )


def in_foreground(argv: Sequence[str]) -> int:
    """Run a process on this one's terminal, such as an editor, to its end; return its exit code.

    When this process is interrupted, the other is ended first.
    """
    try:
        process = subprocess.Popen(list(argv), encoding="utf-8", env=child_environment())
    except OSError as error:
        raise _cannot_start(argv, None, error) from None
    with process:
        try:
            return process.wait()
        except BaseException:
            _end(process)
            raise


def start_on_its_own(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], out: Path, err: Path) -> Started:
    """Start a process that outlives this one, writing to files; ``env`` is its whole environment.

    It has a session of its own, so that neither Ctrl-C here nor the end of this terminal reaches it.
    Meant for ``fairway`` itself, which may be given what a pipeline hands over.
    """
    try:
        with out.open("wb") as stdout, err.open("wb") as stderr:
            return subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
    except OSError as error:
        raise _cannot_start(argv, cwd, error) from None


def _to_the_end(argv: Sequence[str], timeout_s: float, *, cwd: Path | None = None, **options: Any) -> Completed:
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            capture_output=True,
            timeout=timeout_s,
            encoding="utf-8",
            errors="replace",
            check=False,
            **options,
        )
    except subprocess.TimeoutExpired:
        raise _too_slow(argv, timeout_s) from None
    except OSError as error:
        raise _cannot_start(argv, cwd, error) from None
    return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _too_slow(argv: Sequence[str], timeout_s: float) -> Failed:
    command = " ".join([Path(argv[0]).name, *argv[1:3]])
    return Failed(f"{command} did not finish within {timeout_s:g} s", hint="run it by hand to see what it waits for")


def _cannot_start(argv: Sequence[str], cwd: Path | None, error: OSError) -> Failed:
    program = Path(argv[0]).name
    if cwd is not None and not cwd.is_dir():
        return Failed(f"cannot run {program}: the directory {cwd} does not exist")
    if isinstance(error, FileNotFoundError):
        return Failed(f"{program} is not installed, or not on PATH", hint=_HINTS.get(program, f"install {program}"))
    return Failed(f"cannot run {argv[0]}: {os.strerror(error.errno or 0)}")
