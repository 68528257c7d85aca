"""Releases and tables made of a few words, for the tables of cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fairway.engine.contract.manifest import Migration, Migrations, MigratorKind, Verdict
from fairway.engine.contract.names import Digest
from fairway.engine.schema.tables import Table

_VERDICTS = {"": Verdict.EXPAND, "!": Verdict.CONTRACT, "?": Verdict.REVIEW}


def migrations(kind: MigratorKind | None, *names: str, parents: dict[str, tuple[str, ...]] | None = None) -> Migrations:
    """Return what a release ships: ``0005!`` contracts, ``0006?`` nobody has judged; each follows the one before."""
    shipped: list[Migration] = []
    for name in names:
        plain = name.rstrip("!?")
        before = (shipped[-1].id,) if shipped and kind is MigratorKind.ALEMBIC else ()
        verdict = _VERDICTS[name[len(plain) :]]
        follows = (parents or {}).get(plain, before)
        shipped.append(Migration(plain, Digest.of(plain.encode()), verdict, verdict, f"words of {plain}", follows))
    return Migrations(60, 5, 60, 3, kind=kind, shipped=tuple(shipped))


def table(name: str, *rows: dict[str, Any], schema: str = "public", visible: bool = True) -> Table:
    """Return one table with its rows."""
    return Table(name, schema, visible, tuple(rows))


def prisma(name: str, state: str, at: int = 0, checksum: str = "") -> dict[str, Any]:
    """Return a row of Prisma's as the server prints it."""
    when = f"2026-01-01T00:00:{at:02d}+00:00"
    return {
        "migration_name": name,
        "checksum": checksum or Digest.of(name.encode())[7:],
        "started_at": when,
        "finished_at": when if state == "applied" else None,
        "rolled_back_at": when if state == "rolled back" else None,
        "logs": "ERROR: relation\n\n  exists" if state in ("failed", "rolled back") else None,
    }


def rows(column: str, values: Sequence[object]) -> list[dict[str, Any]]:
    """Return rows of one column."""
    return [{column: value} for value in values]
