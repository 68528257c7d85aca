"""Frozen windows: the times at which nothing is deployed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, timezone, tzinfo

from fairway.engine.contract.trust import DAYS, Window


class NoZone(Exception):
    """This host does not know a time zone: it cannot say whether a window is open."""


def frozen_until(windows: Iterable[Window], now: datetime) -> datetime | None:
    """Return when the windows that are open now have all closed, in that window's zone; None when none is open.

    Windows that follow on each other are one. Raises ``NoZone``.
    """
    frozen = list(windows)
    found: datetime | None = None
    moment = now
    # Each pass goes on from the end found so far; a week of windows in a row is the longest there can be.
    for _ in range(len(frozen) * len(DAYS) + 1):
        ends = [end for window in frozen if (end := _end(window, moment)) is not None]
        if not ends:
            break
        found = moment = max(ends)
    return found


def _end(window: Window, moment: datetime) -> datetime | None:
    local = moment.astimezone(_zone(window.zone))
    for back in (0, 1):
        day = local.date() - timedelta(days=back)
        if DAYS[day.weekday()] not in window.days:
            continue
        start, end = _at(day, window.start, local.tzinfo), _at(day, window.end, local.tzinfo)
        if end <= start:
            end = _at(day + timedelta(days=1), window.end, local.tzinfo)
        if start <= local < end:
            return end
    return None


def _at(day: date, clock: str, zone: tzinfo | None) -> datetime:
    if clock == "24:00":
        return datetime.combine(day + timedelta(days=1), time(), zone)
    return datetime.combine(day, time.fromisoformat(clock), zone)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return timezone.utc
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only a policy with windows waits for it

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise NoZone(f"this host does not know the time zone {name}") from None
