"""Prisma: a folder for each migration, with its ``migration.sql``, applied in the order of their names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Digest
from fairway.migrations.sources.source import Source, below, decoded

_FILE = "migration.sql"
_LOCK = "migration_lock.toml"
_PROVIDER = re.compile(r"^\s*provider\s*=\s*[\"'](?P<name>[^\"']*)[\"']", re.MULTILINE)


def counts(directory: str, path: str) -> bool:
    """Say whether a file has a say: those in folders, and the lock, which names the database."""
    parts = below(directory, path).parts
    return len(parts) == 2 or parts == (_LOCK,)


def read(directory: str, files: Mapping[str, bytes]) -> tuple[Source, ...]:
    """Read the folders. Raises ``Invalid`` for one without its file, and for another database than PostgreSQL."""
    lock = f"{directory}/{_LOCK}"
    if lock in files:
        _check_provider(lock, decoded(lock, files[lock]))
    folders = sorted({below(directory, path).parts[0] for path in files if path != lock})
    sources = []
    for folder in folders:
        path = f"{directory}/{folder}/{_FILE}"
        if path not in files:
            raise Invalid(
                f"{directory}/{folder} has no {_FILE}",
                why="prisma migrate deploy stops at a folder without one (P3015)",
                hint="add the file to Git, or remove the folder",
            )
        sources.append(Source(folder, path, Digest.of(files[path]), decoded(path, files[path])))
    return tuple(sources)


def _check_provider(path: str, text: str) -> None:
    found = _PROVIDER.search(text)
    if found is not None and found["name"] not in ("postgresql", "cockroachdb"):
        raise Invalid(
            f"{path}: the migrations are for {found['name'][:40]!r}",
            why="Fairway judges what they do to a PostgreSQL database",
            hint="name the migrations of the PostgreSQL database: migrations.path in fairway.toml",
        )
