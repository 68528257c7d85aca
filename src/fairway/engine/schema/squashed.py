"""What became of migrations that were made into one. Pure.

A team squashes old migrations into a new one and drops their files. Databases keep the old
names on record, and no release ships those any more; the new one says in its ``replaces`` what
it stands for. So whoever ships it has them too, and whoever has all of them applied has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Callable

from fairway.engine.contract.manifest import Migration, Migrations, MigratorKind
from fairway.engine.contract.names import Digest
from fairway.engine.schema.known import Known, key_of
from fairway.engine.schema.record import Record


def replaced_by(kind: MigratorKind, migration: Migration, known: Known) -> tuple[str, ...]:
    """Return what a migration stands for, by its own release and by any other that ships the same bytes."""
    return tuple(dict.fromkeys((*migration.replaces, *known.replaced(kind, migration.id, migration.digest))))


def covered_by(kind: MigratorKind, release: Migrations, known: Known) -> frozenset[str]:
    """Return what a release has, by the keys of :func:`key_of`: what it ships, and what that stands for."""
    anywhere = partial(known.replaced, kind)
    found = {key_of(kind, one.id) for one in release.shipped}
    return frozenset(
        found | _behind(kind, (n for one in release.shipped for n in replaced_by(kind, one, known)), anywhere)
    )


def unfolded(record: Record, covered: frozenset[str], known: Known) -> tuple[str, ...]:
    """Return what is applied and not covered, with what each squashed migration stands for in its place.

    One that stands for itself by way of others, as after a name was changed and changed back,
    stays as it is: nothing that is applied gets lost on the way round.
    """

    def parts_of(name: str) -> tuple[str, ...]:
        return known.replaced(record.kind, name, _digest(record, name))

    found: dict[str, str] = {}
    seen: set[str] = set()
    left = list(reversed(record.applied))
    while left:
        name = left.pop()
        key = key_of(record.kind, name)
        if key in covered or key in seen:
            continue
        seen.add(key)
        stands_for = parts_of(name)
        if stands_for and key not in _behind(record.kind, stands_for, parts_of):
            left += reversed(stands_for)
        else:
            found[key] = name
    return tuple(found.values())


def lacking(release: Migrations, record: Record, known: Known, *, besides: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what a release ships and a database has neither under its name nor in parts nor squashed.

    ``besides`` are names that count as there, too.
    """
    kind = record.kind
    there = _applied(record, known) | {key_of(kind, name) for name in besides}

    def is_there(name: str, way: frozenset[str]) -> bool:
        """Say whether a part is there, itself or in parts of its own; ``way`` leads to it, and may lead in a circle."""
        key = key_of(kind, name)
        if key in there:
            return True
        # Nobody knows which bytes were meant: in every version it has to be there.
        versions = known.versions(kind, name) if key not in way else ()
        return bool(versions) and all(
            parts and all(is_there(part, way | {key}) for part in parts) for parts in versions
        )

    def has(one: Migration) -> bool:
        key, parts = key_of(kind, one.id), replaced_by(kind, one, known)
        return key in there or (bool(parts) and all(is_there(part, frozenset({key})) for part in parts))

    return tuple(one.id for one in release.shipped if not has(one))


def to_be_run_again(release: Migrations, record: Record, known: Known) -> tuple[tuple[Migration, int, int], ...]:
    """Return what a migrator would run over its own parts: each with how many these are, and how many are applied.

    Django knows by itself that it must not. Alembic stops at a revision that it does not have.
    """
    kind = record.kind
    if kind not in (MigratorKind.PRISMA, MigratorKind.SQL):
        return ()
    applied = {key_of(kind, name) for name in record.applied}
    there = _applied(record, known)
    found = []
    for one in release.shipped:
        parts = _first_written(kind, replaced_by(kind, one, known), known)
        done = len(parts & there)
        if done and key_of(kind, one.id) not in applied:
            found.append((one, len(parts), done))
    return tuple(found)


def _applied(record: Record, known: Known) -> set[str]:
    """Return the keys of what is applied, and of what that stands for."""
    kind, anywhere = record.kind, partial(known.replaced, record.kind)
    parts = (n for a in record.applied for n in known.replaced(kind, a, _digest(record, a)))
    return {key_of(kind, name) for name in record.applied} | _behind(kind, parts, anywhere)


def _first_written(kind: MigratorKind, parts: tuple[str, ...], known: Known) -> set[str]:
    """Return the keys of the migrations that parts were made of at first; of names that go in a circle, the parts."""
    behind = _behind(kind, parts, partial(known.replaced, kind))
    return {key for key in behind if not known.replaced(kind, key)} or {key_of(kind, part) for part in parts}


def _behind(kind: MigratorKind, names: Iterable[str], parts_of: Callable[[str], Iterable[str]]) -> set[str]:
    """Return the keys of these names and of what they stand for in their turn: what was squashed twice."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if (key := key_of(kind, name)) not in found:
            found.add(key)
            left += parts_of(name)
    return found


def _digest(record: Record, name: str) -> Digest | None:
    checksum = record.checksums.get(name)
    return Digest(f"sha256:{checksum.lower()}") if checksum is not None else None
