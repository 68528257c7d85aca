"""The one module that asks what time it is."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

__all__ = ["later", "monotonic", "now", "parse", "sleep"]

monotonic = time.monotonic
sleep = time.sleep


def now() -> str:
    """Return the time in UTC to the millisecond, as every record writes it."""
    return later(0.0)


def later(seconds: float) -> str:
    """Return the time in so many seconds, written as :func:`now` writes it."""
    moment = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def parse(text: str) -> datetime:
    """Read a time that :func:`now` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
