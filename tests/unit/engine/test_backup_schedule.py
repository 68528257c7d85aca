"""When backups and drills are due, in the words of systemd and of cron."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fairway.engine.backups.schedule import Schedule
from fairway.engine.contract.errors import Invalid

HOUR = 3600.0
NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "calendar", "cron", "period_s"),
    [
        ("hourly", "*-*-* *:15:00", "15 * * * *", HOUR),
        ("daily", "*-*-* 03:15:00", "15 3 * * *", 24 * HOUR),
        ("03:15", "*-*-* 03:15:00", "15 3 * * *", 24 * HOUR),
        ("00:00", "*-*-* 00:00:00", "0 0 * * *", 24 * HOUR),
        ("weekly", "Sun *-*-* 04:15:00", "15 4 * * 0", 7 * 24 * HOUR),
        ("Sat 23:59", "Sat *-*-* 23:59:00", "59 23 * * 6", 7 * 24 * HOUR),
        ("monthly", "*-*-01 05:15:00", "15 5 1 * *", 31 * 24 * HOUR),
    ],
)
def test_a_schedule_is_said_alike_to_systemd_and_to_cron(text: str, calendar: str, cron: str, period_s: float) -> None:
    schedule = Schedule(text)
    assert (schedule.calendar, schedule.cron, schedule.period_s) == (calendar, cron, period_s)


@pytest.mark.parametrize("text", ["", "Daily", "24:00", "3:15", "03:60", "Son 03:15", "Sun", "* * * * *", "03:15\n"])
def test_what_is_no_schedule_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(Invalid, match="not a schedule"):
        Schedule(text)


@pytest.mark.parametrize(
    ("text", "hours", "overdue"),
    [("daily", 36, False), ("daily", 38, True), ("hourly", 2, False), ("hourly", 3, True), ("weekly", 200, False)],
)
def test_one_is_overdue_after_half_a_period_more(text: str, hours: float, overdue: bool) -> None:
    assert Schedule(text).overdue(NOW - timedelta(hours=hours), NOW) is overdue
    assert Schedule(text).overdue(None, NOW)
