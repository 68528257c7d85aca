"""What was seen of a migration's locks and of its progress, from samples. Pure.

A sample says which locks the migrator's sessions had or waited for at one moment. A lock that
was taken and given back between two samples is not seen, and the times are as fine as the
samples are. Source: PostgreSQL manual, "Explicit Locking".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairway.engine.contract.fields import parse_json

#: What a lock that is held keeps the application from; weaker ones keep it from nothing.
BLOCKS = {
    "ShareLock": "writes",
    "ShareRowExclusiveLock": "writes",
    "ExclusiveLock": "writes",
    "AccessExclusiveLock": "reads and writes",
}
_WORDS = {
    "AccessShareLock": "ACCESS SHARE",
    "RowShareLock": "ROW SHARE",
    "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}


@dataclass(frozen=True)
class Seen:
    """One lock of one session at the moment of a sample; ``for_app`` says that the application stood in its way."""

    session: int
    relation: str
    mode: str
    granted: bool
    for_app: bool


@dataclass(frozen=True)
class Sample:
    """One moment, in seconds on a clock of its own, and what was on record as applied, None when not asked."""

    at_s: float
    locks: tuple[Seen, ...]
    sessions: int = 0
    applied: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, at_s: float, line: str, applied: tuple[str, ...] | None = None) -> Sample:
        """Read what :data:`~fairway.engine.rehearsal.sampling.QUESTION` answers."""
        document = parse_json(line, "a sample of locks")
        locks = tuple(
            Seen(int(row[0]), str(row[1]), str(row[2]), bool(row[3]), bool(row[4])) for row in document["locks"]
        )
        return cls(at_s, locks, int(document["sessions"]), applied)


def add(samples: list[Sample], sample: Sample, *, last: bool) -> None:
    """Keep a sample, unless it is as the one before: a migration may take a day."""
    before = samples[-1] if samples else None
    if sample.applied is None and before is not None:
        sample = replace(sample, applied=before.applied)
    if last or before is None or replace(sample, at_s=before.at_s) != before:
        samples.append(sample)


@dataclass(frozen=True)
class Lock:
    """A lock on a table that was there before the migration: how long it was held, and how long waited for."""

    relation: str
    mode: str
    held_s: float
    waited_s: float
    #: The application of the release before stood in its way.
    for_app: bool = False

    @property
    def words(self) -> str:
        """Say it in the manual's terms."""
        mode = _WORDS.get(self.mode, self.mode)
        said = []
        if self.held_s:
            blocks = BLOCKS.get(self.mode)
            said.append(f"held {_seconds(self.held_s)}" + (f", {blocks} would have waited" if blocks else ""))
        if self.waited_s:
            whom = " for the release before" if self.for_app else ""
            said.append(f"waited {_seconds(self.waited_s)}{whom}")
        return f"{mode} on {self.relation}: {'; '.join(said)}"

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "relation": self.relation,
            "mode": _WORDS.get(self.mode, self.mode),
            "blocks": BLOCKS.get(self.mode),
            "held_s": round(self.held_s, 3),
            "waited_s": round(self.waited_s, 3),
            "for_app": self.for_app,
        }


def locks_of(samples: Sequence[Sample], interval_s: float) -> tuple[Lock, ...]:
    """Return the locks worth telling, the longest held first: each that keeps somebody out, and each waited for.

    One that is in a single sample was held for about as long as it is between two.
    """
    held: dict[tuple[str, str], float] = {}
    waited: dict[tuple[str, str], float] = {}
    for_app: set[tuple[str, str]] = set()
    for index, sample in enumerate(samples):
        left = samples[index + 1].at_s - sample.at_s if index + 1 < len(samples) else interval_s
        # Two sessions of one migrator are one migrator.
        for key, granted in {((one.relation, one.mode), one.granted) for one in sample.locks}:
            if granted and key[1] in BLOCKS:
                held[key] = held.get(key, 0.0) + left
            elif not granted:
                waited[key] = waited.get(key, 0.0) + left
        for_app |= {(one.relation, one.mode) for one in sample.locks if one.for_app and not one.granted}
    found = [
        Lock(
            relation,
            mode,
            held.get((relation, mode), 0.0),
            waited.get((relation, mode), 0.0),
            (relation, mode) in for_app,
        )
        for relation, mode in {**held, **waited}
    ]
    return tuple(sorted(found, key=lambda one: (-(one.held_s + one.waited_s), one.relation, one.mode)))


@dataclass(frozen=True)
class Took:
    """How long migrations took: one alone, or several that were committed together."""

    migrations: tuple[str, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {"migrations": list(self.migrations), "seconds": round(self.seconds, 3)}


def steps_of(samples: Iterable[Sample]) -> tuple[Took, ...]:
    """Return when migrations came on record, each measured from the one before it, the first from the first session.

    What came on record between two looks is told together: nobody can say which took how long.
    """
    before: tuple[str, ...] | None = None
    begun_s: float | None = None
    found = []
    for sample in samples:
        if begun_s is None and sample.sessions:
            begun_s = sample.at_s
        if sample.applied is None:
            continue
        if before is not None and (new := tuple(name for name in sample.applied if name not in before)):
            found.append(Took(new, sample.at_s - (begun_s if begun_s is not None else sample.at_s)))
            begun_s = sample.at_s
        before = sample.applied
    return tuple(found)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.95 else f"{seconds * 1000:.0f} ms"
