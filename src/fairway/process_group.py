"""Run a program that may start others, and end it with all of them. Beside :mod:`fairway.process`, for stages of CI.

A program gets a session of its own, so that what it started is found again: a shell with job control and
``timeout`` make process groups of their own within it. What left the session, as browsers do that a test
drives, is known by a variable that it inherited.
"""

from __future__ import annotations

import enum
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from fairway.engine.contract.errors import Failed

GRACE_S = 10.0
_POLL_S = 0.05
_LAST_WORDS_S = 2.0
# What writes no line break, such as a binary, is handed over in pieces of this many characters.
_MAX_LINE = 65_536
_PROC = Path("/proc")
_MARK = "FAIRWAY_CI_MARK"


class How(enum.Enum):
    """How a program ended: by itself, because its time was over, or because somebody asked for it."""

    EXITED = "exited"
    TIMED_OUT = "timed out"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Ended:
    """The end of a program. The exit code is negative after a signal, as Python has it."""

    how: How
    returncode: int


class Stop:
    """Whether everything is to end. Asked a second time, it is to end without a grace.

    Plain values: a signal's handler sets them in the middle of whatever the main thread does.
    """

    def __init__(self) -> None:
        self.asked = False
        self.at_once = False

    def ask(self) -> None:
        """Have everything end; at once when this was asked before."""
        self.at_once = self.asked
        self.asked = True


def supervise(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout_s: float,
    stop: Stop,
    grace_s: float = GRACE_S,
) -> Ended:
    """Run a program to its end, handing over each line of both its streams as it comes, from another thread.

    ``env`` is its whole environment. When its time is over or ``stop`` is asked, it and everything it
    started is asked to end, and killed after ``grace_s``. What a program that ended by itself left running
    in its session ends, too. Raises ``Failed`` when it cannot be started.
    """
    mark = secrets.token_hex(16)
    try:
        process = subprocess.Popen(
            list(argv),
            env={**env, _MARK: mark},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise _cannot_start(argv, cwd, error) from None
    reader = threading.Thread(target=_read, args=(process, on_line), daemon=True)
    reader.start()
    how = _wait(process, monotonic() + timeout_s, stop)
    found = (lambda: _of_session(process.pid)) if how is How.EXITED else (lambda: _all_of(process.pid, mark))
    _end(found, stop, grace_s, process)
    returncode = process.wait()
    # Not for ever: what has left the session may hold the other end of the pipe.
    reader.join(_LAST_WORDS_S)
    return Ended(how, returncode)


def _wait(process: subprocess.Popen[str], deadline: float, stop: Stop) -> How:
    while True:
        try:
            process.wait(timeout=_POLL_S)
            return How.EXITED
        except subprocess.TimeoutExpired:
            if stop.asked:
                return How.STOPPED
            if monotonic() > deadline:
                return How.TIMED_OUT


def _read(process: subprocess.Popen[str], on_line: Callable[[str], None]) -> None:
    with suppress(ValueError, OSError):
        while process.stdout is not None and (raw := process.stdout.readline(_MAX_LINE)):
            on_line(raw.rstrip("\n"))


def _end(find: Callable[[], list[int]], stop: Stop, grace_s: float, process: subprocess.Popen[str]) -> None:
    """Ask what is found to end, and kill what has not after the grace."""
    alive = find()
    _signal(alive, signal.SIGTERM)
    deadline = monotonic() + grace_s
    while alive and monotonic() < deadline and not stop.at_once:
        sleep(_POLL_S)
        process.poll()
        alive = find()
    deadline = monotonic() + _LAST_WORDS_S
    while alive and monotonic() < deadline:
        # Again and again: one that is being killed may have started another.
        _signal(alive, signal.SIGKILL)
        sleep(_POLL_S)
        process.poll()
        alive = find()


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _of_session(session: int) -> list[int]:
    """Return the processes of a session that have not ended; where there is no /proc, its leader's group as one."""
    if not _PROC.joinpath("self/stat").exists():
        try:
            os.killpg(session, 0)
        except (ProcessLookupError, PermissionError):
            return []
        return [-session]
    return [pid for pid in _processes() if _session(pid) == session]


def _all_of(session: int, mark: str) -> list[int]:
    needle = f"{_MARK}={mark}".encode()
    found = _of_session(session)
    return found + [pid for pid in _processes() if pid not in found and needle in _environment(pid)]


def _processes() -> list[int]:
    with suppress(OSError):
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return []


def _session(pid: int) -> int | None:
    """Return a process's session, or None of one that has ended, though nobody has waited for it yet."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        # The name, in parentheses, may have anything in it.
        state, _parent, _group, session, *_ = stat.rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(session)


def _environment(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return b""


def _cannot_start(argv: Sequence[str], cwd: Path, error: OSError) -> Failed:
    if not cwd.is_dir():
        return Failed(f"cannot run {argv[0]}: the directory {cwd} does not exist")
    if isinstance(error, FileNotFoundError):
        return Failed(f"{argv[0]} is not installed, or not on PATH", hint=f"install {Path(argv[0]).name}")
    return Failed(f"cannot run {argv[0]}: {os.strerror(error.errno or 0)}")
