"""When something is due, as ``fairway.toml`` says it, and as systemd and cron want to hear it.

Sources: systemd.time(7), crontab(5). Times are the host's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from fairway.engine.contract.errors import Invalid

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_NAMED = {"hourly": "hourly", "daily": "03:15", "weekly": "Sun 04:15", "monthly": "monthly"}
_TIME = re.compile(r"(?:(?P<day>Sun|Mon|Tue|Wed|Thu|Fri|Sat) )?(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])")
_HOUR_S = 3600.0
MEANING = '"hourly", "daily", "weekly", "monthly", a time like "03:15", or a day and a time like "Sun 03:15"'


@dataclass(frozen=True)
class Schedule:
    """How often, and when: ``daily`` is 03:15, ``weekly`` Sunday 04:15, ``monthly`` the first at 05:15."""

    text: str

    def __post_init__(self) -> None:
        if self.text not in _NAMED and not _TIME.fullmatch(self.text):
            raise Invalid(f"not a schedule: {self.text[:60]!r}", why=MEANING)

    @property
    def calendar(self) -> str:
        """Return it as systemd's ``OnCalendar``."""
        meant = _NAMED.get(self.text, self.text)
        if meant == "hourly":
            return "*-*-* *:15:00"
        if meant == "monthly":
            return "*-*-01 05:15:00"
        day, _, time = meant.rpartition(" ")
        return f"{day} *-*-* {time}:00".strip()

    @property
    def cron(self) -> str:
        """Return it as the five fields of a crontab."""
        meant = _NAMED.get(self.text, self.text)
        if meant == "hourly":
            return "15 * * * *"
        if meant == "monthly":
            return "15 5 1 * *"
        day, _, time = meant.rpartition(" ")
        hour, _, minute = time.partition(":")
        return f"{int(minute)} {int(hour)} * * {_DAYS.index(day) if day else '*'}"

    @property
    def period_s(self) -> float:
        """Return the longest time from one to the next, in seconds."""
        meant = _NAMED.get(self.text, self.text)
        if meant == "hourly":
            return _HOUR_S
        if meant == "monthly":
            return 31 * 24 * _HOUR_S
        return (7 if " " in meant else 1) * 24 * _HOUR_S

    def overdue(self, last: datetime | None, now: datetime) -> bool:
        """Say whether one should have been by now: half a period and an hour are given for a host that was off."""
        return last is None or (now - last).total_seconds() > 1.5 * self.period_s + _HOUR_S
