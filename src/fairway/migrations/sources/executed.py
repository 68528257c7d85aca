"""Any other tool: a file for each migration, applied in the order of their names.

What is SQL is judged; anything else is left to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from fairway.engine.contract.manifest import Verdict
from fairway.engine.contract.names import Digest
from fairway.migrations.judgement import Judgement
from fairway.migrations.sources.source import Source, below, decoded, refuse_twice

_NO_MIGRATIONS = (".md", ".rst")


def counts(directory: str, path: str) -> bool:
    """Say whether a file is a migration: all but hidden ones, prose, and what only undoes."""
    name = PurePosixPath(path).name.lower()
    return not (name.startswith((".", "__")) or name.endswith((*_NO_MIGRATIONS, ".down.sql", ".pyc")))


def read(directory: str, files: Mapping[str, bytes]) -> tuple[Source, ...]:
    """Read the files, each a migration whose id is its path without the ending."""
    sources = [_source(directory, path, files[path]) for path in sorted(files)]
    refuse_twice(sources, "name")
    return tuple(sources)


def _source(directory: str, path: str, body: bytes) -> Source:
    inside = str(below(directory, path))
    digest = Digest.of(body)
    for ending in (".up.sql", ".sql"):
        if inside.lower().endswith(ending):
            return Source(inside[: -len(ending)], path, digest, decoded(path, body))
    told = Judgement(
        Verdict.REVIEW,
        1,
        inside[:200],
        "not-sql",
        "a program: what it does to the database cannot be told from its text",
        "say it in SQL where that can be done, and let the program only move data",
    )
    return Source(inside.removesuffix(PurePosixPath(inside).suffix), path, digest, "", told=(told,))
