"""What a database has on record for one kind of migrator, in the terms of a release's manifest. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.manifest import MAX_MIGRATIONS, Migration, MigratorKind
from fairway.engine.schema import tables as t
from fairway.engine.schema.known import Known, key_of

_WHY_LENGTH = 300
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_FIRST_DIGITS = re.compile(r"^([0-9]+)[^0-9].*", re.DOTALL)
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True)
class Record:
    """What is applied, what has failed (with the database's words), and what was begun and has not ended.

    The names are those that releases give them; ``checksums`` are the sha256 that a
    tool keeps of what it applied, in hexadecimal.
    """

    kind: MigratorKind
    applied: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    in_flight: tuple[str, ...] = ()
    checksums: Mapping[str, str] = field(default_factory=dict)


def read_record(kind: MigratorKind, tables: Sequence[t.Table], known: Known) -> Record:
    """Interpret the tables of one kind's tool; a database without them has nothing applied.

    Alembic and golang-migrate keep only where they are: what that stands for is what
    the known releases ship up to there. Raises ``Failed`` when it cannot be told which
    table counts.
    """
    if kind is MigratorKind.PRISMA:
        return _prisma(t.rows_of(tables, t.PRISMA) or ())
    if kind is MigratorKind.ALEMBIC:
        heads = [t.text(row, "version_num") for row in t.rows_of(tables, t.ALEMBIC) or ()]
        return Record(kind, _with_ancestors(heads, known))
    if kind is MigratorKind.DJANGO:
        return _django(t.rows_of(tables, t.DJANGO) or (), known)
    return _sql(tables, known)


def _prisma(rows: Sequence[t.Row]) -> Record:
    applied: dict[str, str] = {}
    failed: dict[str, str] = {}
    in_flight: list[str] = []
    for row in t.by(rows, "started_at"):
        name = t.text(row, "migration_name")
        if t.is_applied(row):
            applied[name] = t.text(row, "checksum")
        elif row.get("rolled_back_at") is None and t.text(row, "logs").strip():
            failed[name] = in_a_line(t.text(row, "logs"))
        elif row.get("rolled_back_at") is None:
            in_flight.append(name)
    checksums = {name: checksum for name, checksum in applied.items() if _SHA256.fullmatch(checksum)}
    return Record(MigratorKind.PRISMA, tuple(applied), failed, tuple(dict.fromkeys(in_flight)), checksums)


def _with_ancestors(heads: Iterable[str], known: Known) -> tuple[str, ...]:
    found: dict[str, None] = {}
    left = sorted(heads, reverse=True)
    while left:
        one = left.pop()
        if one not in found:
            found[one] = None
            left += reversed(known.parents(MigratorKind.ALEMBIC, one))
    # From the first to the heads, as they were applied.
    return tuple(reversed(found))


def _django(rows: Sequence[t.Row], known: Known) -> Record:
    """Leave out the applications that no release ships migrations of: those of Django and of other packages."""
    apps = {name.split(".", 1)[0] for name in known.names(MigratorKind.DJANGO)}
    ours = [row for row in t.by(rows, "id") if t.text(row, "app") in apps]
    names = dict.fromkeys(f"{t.text(row, 'app')}.{t.text(row, 'name')}" for row in ours)
    return Record(MigratorKind.DJANGO, tuple(names))


def _sql(tables: Sequence[t.Table], known: Known) -> Record:
    found = {name: rows for name in t.SQL_TOOLS if (rows := t.rows_of(tables, name)) is not None}
    if len(found) > 1:
        raise Failed(
            f"the database has the tables {' and '.join(found)}",
            why="each is of another tool for SQL migrations, and which of them counts cannot be told",
            hint='drop the one that is no longer used, or tell with a command of your own: migrations.kind = "exec"',
        )
    if t.FLYWAY in found:
        return _flyway(found[t.FLYWAY], known)
    if t.GOOSE in found:
        return _ordered(t.goose_versions(found[t.GOOSE]), known)
    if t.GORP in found:
        # sql-migrate keeps the names of the files, which begin with the versions.
        return _ordered((_FIRST_DIGITS.sub(r"\1", t.text(row, "id")) for row in found[t.GORP]), known)
    rows = found.get(t.VERSIONS, ())
    if any("dirty" in row for row in rows):
        return _golang_migrate(rows, known)
    return _ordered((t.text(row, "version") for row in rows), known)


def _ordered(versions: Iterable[str], known: Known) -> Record:
    return Record(MigratorKind.SQL, tuple(_written(version, known) for version in sorted(versions, key=_order)))


def _flyway(rows: Sequence[t.Row], known: Known) -> Record:
    applied: dict[str, None] = {}
    failed: dict[str, str] = {}
    for row in t.by(rows, "installed_rank"):
        version, kind = t.text(row, "version"), t.text(row, "type").upper()
        if not version or kind == "SCHEMA":
            continue  # repeatable migrations have no version, and no order to go back in
        if kind == "BASELINE":
            applied.update(dict.fromkeys(_up_to(version, known)))
        elif not row.get("success"):
            failed[_written(version, known)] = in_a_line(t.text(row, "description"))
        elif kind.startswith("UNDO") or kind == "DELETE":
            applied.pop(_written(version, known), None)
        else:
            applied[_written(version, known)] = None
    return Record(MigratorKind.SQL, tuple(applied), failed)


def _golang_migrate(rows: Sequence[t.Row], known: Known) -> Record:
    newest = max((t.text(row, "version") for row in rows), key=_order)
    applied = dict.fromkeys([*_up_to(newest, known), _written(newest, known)])
    failed = {}
    if any(row.get("dirty") for row in rows):
        name = _written(newest, known)
        applied.pop(name)
        failed[name] = "golang-migrate has marked it dirty: it began and did not come to its end"
    return Record(MigratorKind.SQL, tuple(applied), failed)


def _up_to(version: str, known: Known) -> list[str]:
    return sorted((n for n in known.names(MigratorKind.SQL) if _order(n) <= _order(version)), key=_order)


def _written(version: str, known: Known) -> str:
    """Return a version as the releases write it: tables that keep a number have lost its leading zeros."""
    migration = known.worst(MigratorKind.SQL, version)
    return migration.id if migration is not None else version


def _order(version: str) -> tuple[tuple[int, int | str], ...]:
    parts = re.split(r"[._]", version)
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in parts)


def parse_told(text: str) -> Record:
    """Read what an ``exec`` migrator's status command prints. Raises ``Failed`` when it is not exactly that.

    ``{"applied": ["0001"], "failed": [], "in_flight": []}``: the names that the release gives
    its migrations.
    """
    try:
        fields = Fields(parse_json(text, "its answer"), "its answer")
        applied, failed, in_flight = (_names(fields, key) for key in ("applied", "failed", "in_flight"))
        fields.end()
    except Invalid as error:
        raise Failed(
            "the migrator's status command does not say what is applied",
            why=error.what,
            hint='it prints one JSON object and nothing else: {"applied": [...], "failed": [...], "in_flight": [...]}',
        ) from None
    why = "so says the migrator's status command"
    return Record(MigratorKind.EXEC, applied, dict.fromkeys(failed, why), in_flight)


def _names(fields: Fields, key: str) -> tuple[str, ...]:
    names = fields.texts(key, max_items=MAX_MIGRATIONS)
    for name in names:
        if not _NAME.fullmatch(name):
            raise Invalid(f"{key} has {name[:60]!r}, which is no migration's name")
    return tuple(dict.fromkeys(names))


def is_edited(migration: Migration, record: Record) -> bool:
    """Say whether what was applied had other bytes than this; only Prisma keeps what tells."""
    checksum = record.checksums.get(migration.id)
    return checksum is not None and f"sha256:{checksum.lower()}" != migration.digest


def in_a_line(text: str) -> str:
    """Return the beginning of a text, in one line."""
    return " ".join(text.split())[:_WHY_LENGTH]


def missing_from(kind: MigratorKind, wanted: Iterable[str], there: Iterable[str]) -> tuple[str, ...]:
    """Return what is wanted and not there, compared as this kind's names are."""
    have = {key_of(kind, name) for name in there}
    return tuple(name for name in wanted if key_of(kind, name) not in have)
