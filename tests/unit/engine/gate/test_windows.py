"""Frozen windows, in their time zones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fairway.engine.contract.trust import Window
from fairway.engine.gate.windows import frozen_until

FRIDAY_EVENING = Window(("fri",), "16:00", "24:00", "Europe/Berlin")
NIGHT = Window(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "22:00", "06:00")
WEEKEND = Window(("sat", "sun"), "00:00", "24:00", "Europe/Berlin")


@pytest.mark.parametrize(
    "windows, now, until",
    [
        ((FRIDAY_EVENING,), "2026-01-30T14:59", None),
        ((FRIDAY_EVENING,), "2026-01-30T15:00", "2026-01-30T23:00"),
        ((FRIDAY_EVENING,), "2026-01-30T23:00", None),
        ((FRIDAY_EVENING,), "2026-07-31T14:00", "2026-07-31T22:00"),  # summer time
        ((NIGHT,), "2026-01-31T05:59", "2026-01-31T06:00"),
        ((NIGHT,), "2026-01-31T06:00", None),
        ((NIGHT,), "2026-01-31T23:30", "2026-02-01T06:00"),
        ((FRIDAY_EVENING, WEEKEND), "2026-01-30T16:00", "2026-02-01T23:00"),  # one after the other is one
        ((), "2026-01-30T16:00", None),
    ],
)
def test_a_window_is_open_from_its_start_to_its_end(windows: tuple[Window, ...], now: str, until: str | None) -> None:
    def utc(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    assert frozen_until(windows, utc(now)) == (utc(until) if until else None)
