"""Values out of what a host said, which may be anything."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fairway.observe.attempts import read_time

_MAX_TEXT = 8000


def text(value: Any) -> str:
    """Return a text, cut where it is longer than anybody reads."""
    return value[:_MAX_TEXT] if isinstance(value, str) else "" if value is None else str(value)[:_MAX_TEXT]


def number(value: Any) -> float | None:
    """Return a number that can be reckoned with, else None."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9
    return float(value) if good else None


def moment(value: Any) -> datetime | None:
    """Return a time, else None."""
    return read_time(text(value))
