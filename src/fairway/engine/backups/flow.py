"""Bytes from one program through others to a file, with a look at what is asked meanwhile."""

from __future__ import annotations

import fcntl
import os
import selectors
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Callable

from fairway.engine import clock
from fairway.engine.backups.postgres import Command
from fairway.engine.process import Check, begin, end

Report = Callable[[str], None]
Sink = Callable[[bytes], None]

_CHUNK_BYTES = 256 * 1024
_CHECK_EVERY_S = 0.2
_TELL_EVERY_S = 2.0
# Linux: F_SETPIPE_SZ; the default of 64 KiB wakes both ends four times as often.
_SET_PIPE_SIZE = 1031


@dataclass
class Program:
    """A running program with what it complains about."""

    process: subprocess.Popen[bytes]
    complaints: IO[bytes]
    #: What was read of its standard output and not handed out yet.
    _rest: bytes = field(default=b"", repr=False)

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def said(self) -> str:
        """Return what it said on standard error."""
        self.complaints.seek(0)
        return self.complaints.read()[-4000:].decode(errors="replace")

    def write(self, chunk: bytes) -> None:
        """Hand it bytes; one that has ended early says why by its exit code."""
        with suppress(BrokenPipeError):
            self.stdin.write(chunk)

    def flush(self) -> None:
        """Have it get what was written by now; one that has ended early says why by its exit code."""
        with suppress(BrokenPipeError):
            self.stdin.flush()

    def close(self) -> None:
        """Tell it that there is no more."""
        if self.process.stdin is not None and not self.process.stdin.closed:
            with suppress(BrokenPipeError):
                self.process.stdin.close()

    def read_line(self, check: Check, *, timeout_s: float) -> bytes:
        """Return the next line it says, what there is of one when it ends before that.

        Raises ``TimeoutError`` when ``timeout_s`` has passed, or what ``check`` raises.
        """
        deadline = clock.monotonic() + timeout_s
        while b"\n" not in self._rest:
            chunk = self._read(check, deadline)
            if not chunk:
                break
            self._rest += chunk
        line, newline, self._rest = self._rest.partition(b"\n")
        return line + newline

    def read_all(self, check: Check) -> bytes:
        """Return everything that it says until it ends, however long that takes. Raises what ``check`` raises."""
        chunks = [self._rest]
        while chunk := self._read(check):
            chunks.append(chunk)
        self._rest = b""
        return b"".join(chunks)

    def lines_by_now(self) -> list[bytes]:
        """Return the whole lines that it has said and nobody has taken yet, without waiting for more."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.stdout, selectors.EVENT_READ)
            while selector.select(0) and (chunk := os.read(self.stdout.fileno(), _CHUNK_BYTES)):
                self._rest += chunk
        *lines, self._rest = self._rest.split(b"\n")
        return lines

    def _read(self, check: Check, deadline: float | None = None) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self.stdout, selectors.EVENT_READ)
            while True:
                check()
                if selector.select(_CHECK_EVERY_S):
                    return os.read(self.stdout.fileno(), _CHUNK_BYTES)
                if deadline is not None and clock.monotonic() > deadline:
                    raise TimeoutError

    def finish(self, check: Check | None = None) -> int:
        """Tell it that there is no more, wait for its end and return its exit code. Raises what ``check`` raises."""
        self.close()
        while check is not None:
            check()
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(_CHECK_EVERY_S)
        return self.process.wait()


@contextmanager
def program(
    command: Command,
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> Iterator[Program]:
    """Run a program beside this one; it has ended when the block has, whatever happens in it."""
    with tempfile.TemporaryFile() as complaints:
        process = begin(command.argv, env=command.env, stdin=stdin, stdout=stdout, stderr=complaints, pass_fds=pass_fds)
        try:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        fcntl.fcntl(pipe, _SET_PIPE_SIZE, 1024 * 1024)
            yield Program(process, complaints)
        finally:
            end(process)


def pump(source: IO[bytes], sinks: Sequence[Sink], *, told: str, report: Report, check: Check) -> int:
    """Hand everything that ``source`` gives to each sink; return how many bytes it was.

    ``told`` is what progress calls it. ``check`` is called several times a second, and
    what it raises ends the pumping.
    """
    total = 0
    tell_at = clock.monotonic() + _TELL_EVERY_S
    check_at = 0.0
    with selectors.DefaultSelector() as selector:
        with suppress(PermissionError):  # a plain file is always ready, and cannot be waited for
            selector.register(source, selectors.EVENT_READ)
        while True:
            now = clock.monotonic()
            if now >= check_at:
                check()
                check_at = now + _CHECK_EVERY_S
            if now >= tell_at:
                report(f"{told} {total / 2**20:.0f} MiB")
                tell_at = now + _TELL_EVERY_S
            if selector.get_map() and not selector.select(_CHECK_EVERY_S):
                continue
            chunk = os.read(source.fileno(), _CHUNK_BYTES)
            if not chunk:
                return total
            total += len(chunk)
            for sink in sinks:
                sink(chunk)
