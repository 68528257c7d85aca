"""May a release serve on the database as it is now? Pure: from the record and the manifests to what stands in the way.

A rollback does not change the schema, and the code that comes back was never run on what
was applied after it. So everything that is applied and that the release does not ship must
have been found to expand the schema only. What cannot be told counts as a no.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from fairway.engine.contract.manifest import Migration, Migrations, MigratorKind, Verdict
from fairway.engine.schema.known import Known, key_of
from fairway.engine.schema.record import Record, is_edited, missing_from
from fairway.engine.schema.squashed import covered_by, lacking, to_be_run_again, unfolded

_SHOWN = 20


class Reason(enum.Enum):
    """Why a release may not serve on a database."""

    #: Applied, not shipped by the release, and code from before it does not run on it.
    CONTRACT = "contract"
    #: The same, and nobody has said what it does to code from before it.
    REVIEW = "review"
    #: Applied, and no release on this host says what it is.
    UNKNOWN = "unknown"
    FAILED = "failed"
    IN_FLIGHT = "in-flight"
    #: The release needs what is not applied, and a rollback applies nothing.
    BEHIND = "behind"
    #: The release squashed what is applied into one, and its migrator would run that.
    SQUASHED = "squashed"
    #: The migrator of the release refuses a database that is newer than it.
    NEWER = "newer"
    #: The release that serves keeps its record with another tool.
    OTHER_TOOL = "other-tool"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Obstacle:
    """One thing that stands in the way, and the migration it is about, if it is about one."""

    reason: Reason
    migration: str
    says: str

    def __str__(self) -> str:
        return f"{self.migration}: {self.says}" if self.migration else self.says

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {"reason": self.reason.value, "migration": self.migration, "says": self.says}


@dataclass(frozen=True)
class Passage:
    """What was found. ``note`` says what is worth knowing besides: that nothing was checked, or what was let pass."""

    obstacles: tuple[Obstacle, ...] = ()
    note: str = ""
    checked: bool = True

    @property
    def free(self) -> bool:
        """Say whether nothing stands in the way."""
        return not self.obstacles

    @property
    def words(self) -> str:
        """What stands in the way, a line each."""
        shown = [str(one) for one in self.obstacles[:_SHOWN]]
        left = len(self.obstacles) - _SHOWN
        return "\n".join([*shown, *([f"and {left} more"] if left > 0 else [])])

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {"checked": self.checked, "note": self.note, "obstacles": [one.as_json() for one in self.obstacles]}


UNCHECKED = Passage(
    note="not checked: the release does not say what it ships (migrations.kind in fairway.toml)", checked=False
)


def unreadable(why: str) -> Passage:
    """Return what is found when the database cannot be asked."""
    return Passage((Obstacle(Reason.UNREADABLE, "", f"what is applied cannot be told: {why}"),))


def to_release(
    target: Migrations, serving: Migrations | None, record: Record, known: Known, *, migrates: bool
) -> Passage:
    """Find what stands in the way of a release. ``serving`` is what serves now, None when nothing does.

    ``migrates`` says that its migrator will run first, which a rollback's does not.
    """
    kind = kind_for(target, serving, migrates=migrates)
    if kind is None:
        return UNCHECKED
    if target.kind is None and serving is not None:
        target = _by_its_files(target, serving)
    covered = covered_by(kind, target, known)
    beyond = unfolded(record, covered, known)
    obstacles = [*_unfinished(record)]
    if serving is not None and serving.kind is not None and serving.kind is not kind:
        obstacles.append(_other_tool(kind, serving.kind))
    strange = [name for name in beyond if known.worst(kind, name) is None] if migrates else []
    lived_with = strange if _goes_on_from(target, serving, covered) else []
    judged = [name for name in beyond if name not in lived_with]
    obstacles += [found for name in judged if (found := _judged(name, record, known)) is not None]
    strangers = missing_from(kind, record.applied, (one.id for one in target.shipped))
    if migrates and strangers and kind is MigratorKind.ALEMBIC:
        obstacles.append(_newer(strangers))
    if migrates:
        obstacles += [_squashed(*found) for found in to_be_run_again(target, record, known)]
    else:
        needed = lacking(target, record, known, besides=(*record.failed, *record.in_flight))
        obstacles += [Obstacle(Reason.BEHIND, name, "the release needs it, and it is not applied") for name in needed]
    edited = [one.id for one in target.shipped if is_edited(one, record)]
    notes = [f"the database is {len(judged)} migrations ahead of it, which only expand the schema"] if judged else []
    notes += (
        [f"on record, and no release on this host says what they are: {', '.join(lived_with)}"] if lived_with else []
    )
    notes += [f"edited after they were applied: {', '.join(edited)}"] if edited else []
    return Passage(tuple(obstacles), "; ".join(notes) if not obstacles else "")


def kind_for(target: Migrations, serving: Migrations | None, *, migrates: bool) -> MigratorKind | None:
    """Return the kind of record that a release is held against, None when it is held against none.

    One to roll back to that does not say its kind is held against what the release that serves knows.
    """
    return target.kind or (serving.kind if serving is not None and not migrates else None)


def _by_its_files(target: Migrations, serving: Migrations) -> Migrations:
    """Say what a release ships that does not say it: those of the release that serves whose bytes it has too."""
    digests = set(target.files.values())
    return replace(target, kind=serving.kind, shipped=tuple(one for one in serving.shipped if one.digest in digests))


def _goes_on_from(target: Migrations, serving: Migrations | None, covered: frozenset[str]) -> bool:
    """Say whether a release has all that the one that serves has: what that one lives with does not hold it back."""
    if serving is None or target.kind is None or serving.kind is not target.kind:
        return False
    return all(key_of(target.kind, one.id) in covered for one in serving.shipped)


def _unfinished(record: Record) -> Iterable[Obstacle]:
    for name, why in record.failed.items():
        yield Obstacle(Reason.FAILED, name, f"failed{f' ({why})' if why else ''}")
    for name in record.in_flight:
        yield Obstacle(Reason.IN_FLIGHT, name, "was begun and has not ended: it runs now, or its migrator was killed")


def _judged(name: str, record: Record, known: Known) -> Obstacle | None:
    migration, checksum = known.worst(record.kind, name), record.checksums.get(name)
    if migration is not None and checksum is not None:
        # A verdict is of exact bytes: one on a file that was edited says nothing of what was applied.
        migration = known.with_bytes(record.kind, name, checksum)
        if migration is None:
            return Obstacle(Reason.UNKNOWN, name, "was applied with other bytes than any release on this host ships")
    if migration is None:
        return Obstacle(Reason.UNKNOWN, name, "is applied, and no release on this host says what it is")
    words = f": {migration.words}" if migration.words else ""
    if migration.verdict is Verdict.CONTRACT:
        return Obstacle(Reason.CONTRACT, name, f"code from before it does not run on the schema after it{words}")
    if migration.verdict is Verdict.REVIEW:
        return Obstacle(Reason.REVIEW, name, f"nobody has said whether code from before it runs after it{words}")
    return None


def _other_tool(kind: MigratorKind, serving: MigratorKind) -> Obstacle:
    now = f"the release that serves keeps its record with {serving.value}, this one with {kind.value}"
    return Obstacle(Reason.OTHER_TOOL, "", f"{now}: what was applied between them cannot be told")


def _newer(beyond: tuple[str, ...]) -> Obstacle:
    return Obstacle(
        Reason.NEWER, beyond[-1], "the release's own migrator stops at a revision that it does not have (Alembic)"
    )


def _squashed(migration: Migration, parts: int, applied: int) -> Obstacle:
    if applied < parts:
        says = (
            f"stands for {parts} migrations, and only {applied} of them are applied: its migrator would run them again"
        )
    else:
        says = (
            f"stands for {parts} migrations that are applied, and is not on record: its migrator would run them again"
        )
    return Obstacle(Reason.SQUASHED, migration.id, says)


def hint_for(passage: Passage, *, migrates: bool, floor: str | None, environment: str) -> str:
    """Say what to do about what stands in the way."""
    reasons = {one.reason for one in passage.obstacles}
    ways = []
    if reasons & {Reason.FAILED, Reason.IN_FLIGHT}:
        ways.append(
            "end it first, by the migration tool's own means (prisma migrate resolve, flyway repair, migrate force)"
        )
    if reasons & {Reason.CONTRACT, Reason.REVIEW, Reason.UNKNOWN, Reason.BEHIND, Reason.OTHER_TOOL}:
        back = f"go back no further than {floor}" if floor else "no release here can be gone back to"
        ways.append(f"{back}, or go forward with a release that mends it")
    if Reason.SQUASHED in reasons:
        ways.append(
            "bring the database to the last release before the squash, and say by the tool's own means that the new"
            " migration is applied (prisma migrate resolve --applied <migration>)"
        )
    if Reason.UNKNOWN in reasons or (migrates and reasons & {Reason.CONTRACT, Reason.REVIEW}):
        # What a deployment lacks, it lacks on purpose or by mistake; a rollback lacks it by its nature.
        ways.append(
            "where they were squashed into one that is shipped, say so in the repository, and deploy a release of that:"
            ' fairway migrations accept <migration> --as expand --reason "..." --replaces <each that is gone>'
        )
    if Reason.NEWER in reasons:
        ways.append(f"fairway rollback {environment} <tag> runs no migrator")
    if Reason.UNREADABLE in reasons:
        ways.append("see that the database runs and is the one that compose.database_service names")
    command = f"fairway {'deploy' if migrates else 'rollback'} {environment} <tag>"
    ways.append(f'where you know better, on the record: {command} --force --reason "..."')
    return "; ".join(ways)
