"""What a rehearsal has shown, and what that means for the deployment. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairway.engine.contract.manifest import Migration, Migrations, Verdict
from fairway.engine.contract.names import Tag
from fairway.engine.rehearsal.locks import Lock, Took
from fairway.engine.schema import tables as t

_SHOWN = 5
_TIME = re.compile(
    r"(?P<whole>.{10}[T ][0-9:]{8})(?:\.(?P<fraction>[0-9]{1,6}))?(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)


@dataclass(frozen=True)
class Asked:
    """What the release before answered on the schema that the migrations left.

    ``ready`` and ``smoke`` say whether it was; ``smoke`` is None without a command, and when it
    was not ready. ``said`` is its last answer or the end of its log, without secrets.
    """

    tag: Tag
    ready: bool
    smoke: bool | None
    said: str = ""
    hint: str = ""

    @property
    def fit(self) -> bool:
        """Say whether the release before would go on serving."""
        return self.ready and self.smoke is not False

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {"tag": self.tag, "ready": self.ready, "smoke": self.smoke}


@dataclass(frozen=True)
class Rehearsed:
    """What came of it. ``backup`` is the one that was restored, None where the database itself was copied.

    ``took`` are seconds by what they were spent on. ``steps`` are the migrations one by one, as
    far as that can be told; ``exact`` says that the migration tool itself kept the times.
    """

    backup: str | None
    took: Mapping[str, float]
    steps: tuple[Took, ...]
    exact: bool
    locks: tuple[Lock, ...]
    before: Asked | None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "backup": self.backup,
            "took": {name: round(seconds, 3) for name, seconds in self.took.items()},
            "migrations": [one.as_json() for one in self.steps],
            "exact": self.exact,
            "locks": [one.as_json() for one in self.locks],
            "before": self.before.as_json() if self.before is not None else None,
            "notes": list(self.notes),
        }

    @property
    def lines(self) -> tuple[str, ...]:
        """What is told of it while it is fresh, a line each."""
        source = f"the backup {self.backup}" if self.backup is not None else "a copy made straight from the database"
        times = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.took.items())
        lines = [f"on {source}: {times}"]
        how = "as the tool has it on record" if self.exact else "seen from outside"
        lines += [f"{', '.join(one.migrations)}: {one.seconds:.2f} s, {how}" for one in _some(self.steps)]
        lines += [one.words for one in _some(self.locks)]
        if not self.locks:
            lines.append("no lock was seen that keeps the application from a table that was there before")
        return (*lines, *self.notes)


def _some(found: Sequence[Any]) -> Sequence[Any]:
    return found[:_SHOWN]


def brought(new: Migrations, before: Migrations | None) -> tuple[Migration, ...]:
    """Return the migrations that come with a release, by what the two manifests ship."""
    there = {one.id for one in before.shipped} if before is not None else set()
    return tuple(one for one in new.shipped if one.id not in there)


def contracts(found: Iterable[Migration]) -> tuple[str, ...]:
    """Return those after which the release before is not expected to run: somebody has given their word on it."""
    return tuple(one.id for one in found if one.verdict is Verdict.CONTRACT)


def recorded(tables: Iterable[t.Table], already: Iterable[str]) -> tuple[Took, ...]:
    """Return how long each new migration took by the tool's own record: only Prisma's and Flyway's have that."""
    found = list(tables)
    before = set(already)
    took = []
    for row in t.by(t.rows_of(found, t.PRISMA) or (), "started_at"):
        seconds = _between(row.get("started_at"), row.get("finished_at"))
        if t.is_applied(row) and seconds is not None:
            took.append(Took((t.text(row, "migration_name"),), seconds))
    for row in t.by(t.rows_of(found, t.FLYWAY) or (), "installed_rank"):
        if row.get("success") and row.get("version") and isinstance(row.get("execution_time"), int):
            took.append(Took((t.text(row, "version"),), row["execution_time"] / 1000))
    return tuple(one for one in took if one.migrations[0] not in before)


def _between(begun: Any, ended: Any) -> float | None:
    first, last = _instant(begun), _instant(ended)
    return max((last - first).total_seconds(), 0.0) if first is not None and last is not None else None


def _instant(value: Any) -> datetime | None:
    """Read a time as PostgreSQL writes it in JSON; Python before 3.11 takes fewer forms than that."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    zone = (match["zone"] or "+00:00").replace("Z", "+00:00").replace(":", "")
    zone = f"{zone[:3]}:{zone[3:] or '00'}"
    try:
        return datetime.fromisoformat(f"{match['whole']}.{(match['fraction'] or '0').ljust(6, '0')}{zone}")
    except ValueError:
        return None
