"""What was seen in each minute: a byte a minute, a file a day, so that nothing is ever rewritten.

A crash leaves a minute out and spoils none. A minute in which nobody looked counts
for nothing: neither as up nor as down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

UP, DOWN = b"u", b"d"
KEPT_DAYS = 90
#: What availability is told for, in minutes.
WINDOWS: Mapping[str, int] = {"day": 1440, "week": 7 * 1440, "month": 30 * 1440}
_A_DAY = 1440
_NOTHING = b"."
_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Minutes:
    """The minutes of one front door, below a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def note(self, moment: datetime, *, up: bool) -> None:
        """Write down how this minute was. One that was bad stays so. Raises ``OSError``."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = moment.hour * 60 + moment.minute
        descriptor = os.open(self._directory / moment.date().isoformat(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(descriptor).st_size < _A_DAY:
                self._forget(moment)
                there = os.pread(descriptor, _A_DAY, 0)
                os.pwrite(descriptor, there + _NOTHING * (_A_DAY - len(there)), 0)
            if up and os.pread(descriptor, 1, place) == DOWN:
                return
            os.pwrite(descriptor, UP if up else DOWN, place)
        finally:
            os.close(descriptor)

    def availability(self, now: datetime) -> dict[str, float | None]:
        """Return the share of the minutes looked at in which it was up, for each window; None without any."""
        counted: dict[str, float | None] = {}
        seen = up = done = 0
        for name, minutes in WINDOWS.items():
            # Each window holds the one before: what lies further back is added.
            for more_seen, more_up in self._counts(now, done, minutes):
                seen, up = seen + more_seen, up + more_up
            done = minutes
            counted[name] = round(up / seen, 6) if seen else None
        return counted

    def _counts(self, now: datetime, begin: int, end: int) -> list[tuple[int, int]]:
        """Count the minutes from ``begin`` back to ``end`` ago, day by day: those looked at, and those up."""
        # The minute that is not over yet counts as the first of them.
        last = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        newest, oldest = last - timedelta(minutes=begin), last - timedelta(minutes=end)
        found = []
        day = oldest.replace(hour=0, minute=0)
        while day < newest:
            low = max(0, int((oldest - day).total_seconds() // 60))
            high = min(_A_DAY, int((newest - day).total_seconds() // 60))
            part = self._read(day)[low:high]
            up = part.count(UP)
            found.append((up + part.count(DOWN), up))
            day += timedelta(days=1)
        return found

    def _read(self, day: datetime) -> bytes:
        try:
            return (self._directory / day.date().isoformat()).read_bytes()[:_A_DAY]
        except OSError:
            return b""

    def _forget(self, now: datetime) -> None:
        """Remove what is too old to be kept."""
        oldest = (now - timedelta(days=KEPT_DAYS)).date().isoformat()
        for path in self._directory.iterdir():
            if _NAME.fullmatch(path.name) and path.name < oldest:
                path.unlink()
