"""What a repository's migrations are, by the tool that applies them.

One module a kind, each with ``read(directory, files)``: from the files below the directory, by
their paths, to the migrations in the order they are applied. Nothing of them is ever run or
imported; what their text does not plainly say is left to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fairway.engine.contract.manifest import MigratorKind
from fairway.migrations.sources import alembic, django, executed, prisma, sql
from fairway.migrations.sources.source import Source

__all__ = ["Source", "counts", "read_sources"]

#: The file of what people have said of the migrations, which lies among them and is none.
VERDICTS = "verdicts.toml"


class _Adapter(Protocol):
    def counts(self, directory: str, path: str) -> bool: ...

    def read(self, directory: str, files: Mapping[str, bytes]) -> tuple[Source, ...]: ...


_ADAPTERS: Mapping[MigratorKind, _Adapter] = {
    MigratorKind.PRISMA: prisma,
    MigratorKind.ALEMBIC: alembic,
    MigratorKind.DJANGO: django,
    MigratorKind.SQL: sql,
    MigratorKind.EXEC: executed,
}


def counts(kind: MigratorKind, directory: str, path: str) -> bool:
    """Say whether a file below the directory has a say in what the migrations are."""
    return path != f"{directory}/{VERDICTS}" and _ADAPTERS[kind].counts(directory, path)


def read_sources(kind: MigratorKind, directory: str, files: Mapping[str, bytes]) -> tuple[Source, ...]:
    """Read the migrations of one kind, in the order they are applied.

    ``files`` are those below ``directory``, by their paths from where that is relative to. Raises
    ``Invalid`` naming the file that does not fit the others.
    """
    return _ADAPTERS[kind].read(
        directory, {path: body for path, body in files.items() if counts(kind, directory, path)}
    )
