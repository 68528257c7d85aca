"""The one module of the engine that runs processes.

Arguments are lists and hold no secret; a secret goes through the environment or
standard input.
"""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Callable

from fairway.engine import clock
from fairway.engine.contract.errors import Failed

Check = Callable[[], None]
_CHECK_EVERY_S = 0.2
_READ_BYTES = 65536
_GRACE_S = 5.0


@dataclass(frozen=True)
class Completed:
    """How a process ended."""

    returncode: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: str = "",
    timeout_s: float = 120.0,
) -> Completed:
    """Run a process to its end and return what it said.

    Raises ``Failed`` when the program is missing or runs longer than ``timeout_s``.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            env=dict(env),
            capture_output=True,
            timeout=timeout_s,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise Failed(f"{argv[0]} is not installed on this host", hint="install it, then run: fairway doctor") from None
    except subprocess.TimeoutExpired:
        raise Failed(
            f"{' '.join(argv[:3])} did not finish within {timeout_s:.0f} s",
            hint="see whether the Docker daemon answers: docker info",
        ) from None
    return Completed(done.returncode, done.stdout, done.stderr)


def stream(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    on_line: Callable[[str], None],
    stdin: str = "",
    timeout_s: float | None = None,
    check: Check | None = None,
) -> int:
    """Run a process, handing over each line of its output as it comes; return its exit code.

    ``check`` is called several times a second. When it or ``on_line`` raises, or
    ``timeout_s`` has passed (``Failed``), the process is ended first.
    """
    with subprocess.Popen(
        list(argv),
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            # What is written here (a Compose model) is read to its end before anything is said.
            _write_all(process.stdin, stdin.encode())
            _read_lines(process.stdout, argv, on_line, timeout_s, check)
        except BaseException:
            process.terminate()
            _end(process)
            raise
    return process.returncode


def _write_all(pipe: IO[bytes], content: bytes) -> None:
    try:
        pipe.write(content)
        pipe.close()
    except BrokenPipeError:
        return  # it ended without reading; its exit code says why


def _read_lines(
    pipe: IO[bytes],
    argv: Sequence[str],
    on_line: Callable[[str], None],
    timeout_s: float | None,
    check: Check | None,
) -> None:
    deadline = clock.monotonic() + timeout_s if timeout_s is not None else None
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if check is not None:
                check()
            if deadline is not None and clock.monotonic() > deadline:
                raise Failed(
                    f"{' '.join(argv[:3])} did not finish within {timeout_s:.0f} s",
                    hint="see whether the Docker daemon answers: docker info",
                )
            if not selector.select(_CHECK_EVERY_S):
                continue
            chunk = os.read(pipe.fileno(), _READ_BYTES)
            *lines, rest = (rest + chunk).split(b"\n")
            if not chunk and rest:
                lines = [rest]
            for line in lines:
                on_line(line.decode("utf-8", errors="replace").rstrip("\r"))
            if not chunk:
                return


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def begin(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process that bytes are passed to or taken from; see it out with :func:`end`.

    Raises ``Failed`` when the program is missing.
    """
    try:
        return subprocess.Popen(
            list(argv), env=dict(env), stdin=stdin, stdout=stdout, stderr=stderr, pass_fds=tuple(pass_fds)
        )
    except FileNotFoundError:
        raise Failed(f"{argv[0]} is not installed on this host", hint="install it, then run: fairway doctor") from None


def end(process: subprocess.Popen[bytes]) -> None:
    """Have a process at its end, asked first and then made; its pipes are closed."""
    if process.poll() is None:
        process.terminate()
        _end(process)
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
