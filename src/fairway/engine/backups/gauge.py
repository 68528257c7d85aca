"""Watch the disk that a server fills: whatever loads it ends before nothing is left for what serves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from fairway.engine import clock
from fairway.engine.backups.flow import Program, program
from fairway.engine.backups.postgres import Postgres, free_of
from fairway.engine.backups.space import refuse_filling
from fairway.engine.process import Check

_ASK_EVERY_S = 1.0


@contextmanager
def watched(postgres: Postgres, check: Check) -> Iterator[Check]:
    """Have ``check`` raise ``Failed``, too, when the disk of a server is nearly full; it never waits for the answer.

    Where the disk cannot be asked, as that of a server elsewhere, it is the same ``check``.
    """
    command = postgres.gauge()
    if command is None:
        yield check
        return
    with program(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asked:
        gauge = _Gauge(asked)

        def both() -> None:
            check()
            gauge.look()

        try:
            yield both
        finally:
            asked.close()


class _Gauge:
    """Asks one program again and again; one that has ended says nothing any more, and nothing is made of that."""

    def __init__(self, asked: Program) -> None:
        self._asked = asked
        self._ask_at = 0.0

    def look(self) -> None:
        """Ask when it is time again, and look at what was answered by now. Raises ``Failed`` for a disk nearly full."""
        for line in self._asked.lines_by_now():
            free = free_of(line.decode(errors="replace"))
            if free is not None:
                refuse_filling(free)
        now = clock.monotonic()
        if now >= self._ask_at:
            self._ask_at = now + _ASK_EVERY_S
            self._asked.write(b"\n")
            self._asked.flush()
