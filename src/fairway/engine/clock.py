"""The one module that asks what time it is."""

from __future__ import annotations

import time
from datetime import datetime, timezone

__all__ = ["monotonic", "now", "parse", "sleep"]

monotonic = time.monotonic
sleep = time.sleep


def now() -> str:
    """Return the time in UTC to the millisecond, as every record writes it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def parse(text: str) -> datetime:
    """Read a time that :func:`now` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
