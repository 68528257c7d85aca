"""DORA's four figures of one environment, out of its host's record. What each means is in docs/explanation/dora.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from fairway.observe.attempts import Attempt, Kind

_WEEK_S = 7 * 86400.0
#: Below these a figure says more about chance than about the team.
ENOUGH_CHANGES = 3
ENOUGH_ATTEMPTS = 5


@dataclass(frozen=True)
class Figure:
    """One of the four, from ``count`` cases. Where they are too few to tell, ``value`` is None and ``why`` says why."""

    value: float | None
    unit: str
    count: int
    why: str = ""


@dataclass(frozen=True)
class Dora:
    """The four figures, and what they were counted from.

    ``observed_from`` is where the period begins, or the record when it is younger.
    ``unknown`` are the releases whose changes could not be dated.
    """

    environment: str
    observed_from: datetime
    until: datetime
    deployment_frequency: Figure
    lead_time: Figure
    change_failure_rate: Figure
    time_to_restore: Figure
    attempts: int
    succeeded: int
    failed_unseen: int
    sent_back: int
    rolled_back: int
    unknown: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return them as a document."""
        document = {**asdict(self), "unknown": list(self.unknown)}
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in document.items()}


def arrivals(attempts: Sequence[Attempt], since: datetime) -> list[Attempt]:
    """Return the deployments in the period that brought a release here for the first time."""
    seen: set[str] = set()
    found = []
    for one in attempts:
        if one.succeeded and one.changes and one.tag not in seen and one.ended_at >= since:
            found.append(one)
        if one.succeeded:
            seen.add(one.tag)
    return found


def measure(
    environment: str,
    attempts: Sequence[Attempt],
    *,
    since: datetime,
    now: datetime,
    committed: Mapping[str, Sequence[datetime]],
    record_begins: datetime | None,
) -> Dora:
    """Compute the four figures of the period from ``since`` to ``now``.

    ``attempts`` are all on record, the oldest first. ``committed`` has, by tag, when each
    commit was made that came with that release.
    """
    tried = [one for one in attempts if one.ended_at >= since and one.changes and (one.succeeded or one.failed)]
    succeeded = [one for one in tried if one.succeeded]
    sent_back = [one for one in tried if one.sent_back]
    taken_back = {deployed.ended_at: back.ended_at for deployed, back in rolled_back(attempts)}
    undone = [one for one in succeeded if one.ended_at in taken_back]
    observed_from = max(since, record_begins or now)
    came = arrivals(attempts, since)
    lead_s = [max(0.0, (one.ended_at - at).total_seconds()) for one in came for at in committed.get(one.tag, ())]
    restore_s = [one.exposed_s for one in sent_back]
    restore_s += [(taken_back[one.ended_at] - one.ended_at).total_seconds() for one in undone]
    failures = sum(one.failed for one in tried) + len(undone)
    return Dora(
        environment=environment,
        observed_from=observed_from,
        until=now,
        deployment_frequency=_frequency(len(succeeded), now - observed_from),
        lead_time=_median(lead_s, ENOUGH_CHANGES, "change", " that can be dated"),
        change_failure_rate=_ratio(failures, len(tried)),
        time_to_restore=_median(restore_s, 1, "failure", " that visitors met"),
        attempts=len(tried),
        succeeded=len(succeeded),
        failed_unseen=sum(one.failed and not one.sent_back for one in tried),
        sent_back=len(sent_back),
        rolled_back=len(undone),
        unknown=tuple(one.tag for one in came if one.tag not in committed),
    )


def rolled_back(attempts: Sequence[Attempt]) -> list[tuple[Attempt, Attempt]]:
    """Return each deployment that was rolled back, with the rollback: what is gone back from a rollback is none."""
    found = []
    serving: Attempt | None = None
    for one in attempts:
        if not one.succeeded:
            continue
        if one.kind is Kind.ROLLBACK:
            if serving is not None and serving.kind is Kind.DEPLOY and serving.tag == one.replaces:
                found.append((serving, one))
            serving = one
        elif one.changes:
            serving = one
    return found


def _frequency(count: int, observed: timedelta) -> Figure:
    seconds = observed.total_seconds()
    if seconds < _WEEK_S:
        return Figure(
            None,
            "per week",
            count,
            f"{counted(count, 'deployment')}; the record covers {seconds / 86400:.1f} days of the period, 7 are needed",
        )
    return Figure(count / (seconds / _WEEK_S), "per week", count)


def _ratio(failures: int, attempts: int) -> Figure:
    if attempts < ENOUGH_ATTEMPTS:
        return Figure(None, "ratio", attempts, f"{counted(attempts, 'deployment')}; {ENOUGH_ATTEMPTS} are needed")
    return Figure(failures / attempts, "ratio", attempts)


def _median(values: Sequence[float], enough: int, what: str, which: str) -> Figure:
    if len(values) < enough:
        needed = "is" if enough == 1 else "are"
        return Figure(None, "seconds", len(values), f"{counted(len(values), what)}{which}; {enough} {needed} needed")
    return Figure(median(values), "seconds", len(values))


def counted(count: int, what: str) -> str:
    """Return how many there are of something, in words.

    >>> counted(0, "change"), counted(1, "change"), counted(2, "change")
    ('no changes', '1 change', '2 changes')
    """
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"
