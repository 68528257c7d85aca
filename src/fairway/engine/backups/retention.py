"""Which backups stay and which go: decided from their times alone, touching nothing.

The rules are restic's ``--keep-last``, ``--keep-daily``, ``--keep-weekly`` and
``--keep-monthly``: of the last so many days (weeks, months) that have a backup, the
last one of each stays. Days are days in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Callable


@dataclass(frozen=True)
class Keep:
    """How many backups to keep, by each of the rules; one that any rule wants stays."""

    last: int = 3
    daily: int = 7
    weekly: int = 4
    monthly: int = 6


@dataclass(frozen=True)
class Candidate:
    """One backup, as far as retention looks at it.

    ``good`` says that nothing is known against it, ``tried`` that a drill has restored it
    whole. ``deployment`` is the one it was taken for, None when it was taken for itself.
    """

    id: str
    at: datetime
    good: bool = True
    tried: bool = False
    deployment: str | None = None


@dataclass(frozen=True)
class Decision:
    """What becomes of one backup, and why."""

    id: str
    stays: bool
    why: tuple[str, ...] = field(default_factory=tuple)


def _day(at: datetime) -> tuple[int, ...]:
    return (at.year, at.month, at.day)


def _week(at: datetime) -> tuple[int, ...]:
    return tuple(at.isocalendar()[:2])


def _month(at: datetime) -> tuple[int, ...]:
    return (at.year, at.month)


def keep(
    backups: Iterable[Candidate], policy: Keep, now: datetime, *, deployments: Iterable[str] = ()
) -> tuple[Decision, ...]:
    """Decide on each backup; the newest comes first.

    ``deployments`` are those of the releases that this host keeps: the only good backup
    that one of them took stays. So do the newest good one and the newest that a drill has
    restored, whatever the policy; a bad one counts for no rule, and stays until a newer one
    was restored by a drill: what is wrong with it may be wrong with those after it. One from
    the future stays, too: the clock was wrong then or is now.
    """
    ordered = sorted(backups, key=lambda one: (one.at, one.id), reverse=True)
    reasons: dict[str, list[str]] = {one.id: [] for one in ordered}
    good = [one for one in ordered if one.good]
    if good:
        reasons[good[0].id].append("the newest good one")
    tried = [one for one in good if one.tried]
    if tried:
        reasons[tried[0].id].append("the newest that a drill has restored")
    for one in ordered:
        if one.at > now:
            reasons[one.id].append("from the future: compare the clock")
        if not one.good and (not tried or one.at >= tried[0].at):
            reasons[one.id].append("no drill has restored a newer one")
    past = [one for one in good if one.at <= now]
    for one in past[: policy.last]:
        reasons[one.id].append("last")
    for name, count, period in (
        ("daily", policy.daily, _day),
        ("weekly", policy.weekly, _week),
        ("monthly", policy.monthly, _month),
    ):
        for one in _last_of_each(past, count, period):
            reasons[one.id].append(name)
    for identity in deployments:
        taken = [one for one in good if one.deployment == identity]
        if len(taken) == 1:
            reasons[taken[0].id].append("the only one of a deployment that is kept")
    return tuple(Decision(one.id, bool(reasons[one.id]), tuple(reasons[one.id])) for one in ordered)


def _last_of_each(
    newest_first: Sequence[Candidate], count: int, period: Callable[[datetime], tuple[int, ...]]
) -> list[Candidate]:
    found: dict[tuple[int, ...], Candidate] = {}
    for one in newest_first:
        if len(found) == count:
            # A later one of the same period cannot come any more: they are in order.
            break
        found.setdefault(period(one.at.astimezone(timezone.utc)), one)
    return list(found.values())
