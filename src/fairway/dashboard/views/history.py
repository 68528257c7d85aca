"""The record of every environment as one list, and what of it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fairway.dashboard.nonsense import NONSENSE
from fairway.dashboard.observing import Entry, Sight
from fairway.dashboard.views.reading import number
from fairway.observe.attempts import read_time
from fairway.observe.entries import remark, subject

_PER_PAGE = 50


@dataclass(frozen=True)
class Filters:
    """What of the record is wanted; an empty one wants everything.

    ``about`` is a part of a tag, or of what else an entry is about. ``since`` and
    ``until`` are days in UTC, both included.
    """

    environment: str = ""
    action: str = ""
    outcome: str = ""
    by: str = ""
    about: str = ""
    since: date | None = None
    until: date | None = None

    def wants(self, line: HistoryLine) -> bool:
        """Say whether a line is asked for."""
        day = line.at.astimezone(UTC).date() if line.at else None
        return (
            self.environment in ("", line.environment)
            and self.action in ("", line.action)
            and self.outcome in ("", line.outcome)
            and self.by.lower() in line.by.lower()
            and (self.about.lower() in line.about.lower() or self.about.lower() in (line.tag or "").lower())
            and (self.since is None or (day is not None and day >= self.since))
            and (self.until is None or (day is not None and day <= self.until))
        )


@dataclass(frozen=True)
class HistoryLine:
    """An entry of a host's record.

    ``n`` is its number there and ``hash`` what the next one holds it by. ``about`` is
    what it is about, in a word: a release, a backup. ``why`` and ``next`` belong to
    an error, whose ``remark`` is what happened. ``deployment`` names the deployment
    whose page there is.
    """

    environment: str
    n: int
    at: datetime | None
    action: str
    outcome: str
    about: str
    tag: str | None
    replaces: str | None
    by: str
    seconds: float | None
    remark: str
    why: str
    next: str
    deployment: str | None
    hash: str


@dataclass(frozen=True)
class HistoryPage:
    """A page of the lines that are asked for, the newest first; ``actions`` and ``outcomes`` are all there are.

    ``unheard`` are environments whose hosts were not heard yet, so that nothing of them is here.
    """

    lines: tuple[HistoryLine, ...]
    total: int
    page: int
    pages: int
    actions: tuple[str, ...]
    outcomes: tuple[str, ...]
    unheard: tuple[str, ...] = ()


def line_of(environment: str, entry: Entry) -> HistoryLine:
    """Return an entry's line."""
    error: Any = entry.get("error")
    told = error if isinstance(error, dict) else {}
    return HistoryLine(
        environment=environment,
        n=entry["n"] if isinstance(entry.get("n"), int) else 0,
        at=read_time(str(entry.get("at") or "")),
        action=str(entry.get("action") or ""),
        outcome=str(entry.get("outcome") or ""),
        about=_words(subject, entry),
        tag=str(entry["tag"]) if entry.get("tag") else None,
        replaces=str(entry["replaces"]) if entry.get("replaces") else None,
        by=str(entry.get("by") or ""),
        seconds=number(entry.get("seconds")),
        remark=_words(remark, entry),
        why=str(told.get("why") or ""),
        next=str(told.get("hint") or ""),
        deployment=str(entry["deployment"]) if entry.get("deployment") else None,
        hash=str(entry.get("hash") or ""),
    )


def _words(tell: Callable[[Entry], str], entry: Entry) -> str:
    try:
        return tell(entry)
    except NONSENSE:
        return ""


def newest(sight: Sight, count: int) -> tuple[HistoryLine, ...]:
    """Return the newest lines of one environment."""
    return tuple(line_of(sight.environment, entry) for entry in sight.entries[: -count - 1 : -1])


def history(sights: Iterable[Sight], filters: Filters, page: int) -> HistoryPage:
    """Return a page of what is asked for; a page that is not there is the last one."""
    sights = tuple(sights)
    every = [line_of(sight.environment, entry) for sight in sights for entry in sight.entries]
    wanted = sorted(filter(filters.wants, every), key=_when, reverse=True)
    pages = max(1, -(-len(wanted) // _PER_PAGE))
    page = min(max(1, page), pages)
    return HistoryPage(
        lines=tuple(wanted[(page - 1) * _PER_PAGE : page * _PER_PAGE]),
        total=len(wanted),
        page=page,
        pages=pages,
        actions=_all(line.action for line in every),
        outcomes=_all(line.outcome for line in every),
        unheard=tuple(sight.environment for sight in sights if not sight.heard),
    )


def _when(line: HistoryLine) -> tuple[datetime, int]:
    return line.at or datetime.min.replace(tzinfo=UTC) + timedelta(days=1), line.n


def _all(values: Iterable[str]) -> tuple[str, ...]:
    found: Sequence[str] = sorted(set(values) - {""})
    return tuple(found)
