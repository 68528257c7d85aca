"""Plain SQL files: golang-migrate, dbmate, goose, sql-migrate, Flyway, and what is named like theirs.

A file's version is what its name begins with, digits; Flyway has a ``V`` before them. What undoes
a migration (``.down.sql``, Flyway's ``U``, the down section of a file) is never applied by a
deployment and does not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePosixPath

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Digest
from fairway.migrations.sources.source import Source, decoded, refuse_twice

_NUMBERED = re.compile(r"(?P<version>[0-9]+)(?![0-9])")
_FLYWAY = re.compile(r"V(?P<version>[0-9]+(?:[._][0-9]+)*)__.*", re.IGNORECASE)
_REPEATABLE = re.compile(r"R__(?P<name>.+)\.sql", re.IGNORECASE)
_UNDO = re.compile(r"U[0-9]+(?:[._][0-9]+)*__.*", re.IGNORECASE)
_SECTION = re.compile(r"\s*--\s*(?:migrate:|\+\s*(?:goose|migrate)\s+)(?P<way>up|down)\b", re.IGNORECASE)


def counts(directory: str, path: str) -> bool:
    """Say whether a file has a say: all SQL, but what only undoes."""
    name = PurePosixPath(path).name
    return name.lower().endswith(".sql") and not (name.lower().endswith(".down.sql") or _UNDO.fullmatch(name))


def read(directory: str, files: Mapping[str, bytes]) -> tuple[Source, ...]:
    """Read the files in the order of their versions, then Flyway's repeatable ones.

    Raises ``Invalid`` for a file without a version, and for two that have the same.
    """
    sources = []
    for path, body in files.items():
        text = decoded(path, body)
        version = _version(path)
        again = version.startswith("R__")
        sources.append(Source(version, path, Digest.of(body), without_down(text), again=again))
    sources.sort(key=lambda one: _order(one.id))
    refuse_twice(sources, "version")
    _refuse_same_number(sources)
    return tuple(sources)


def without_down(text: str) -> str:
    """Blank out the sections that undo, keeping every line where it is."""
    way, lines = "up", []
    for line in text.split("\n"):
        section = _SECTION.match(line)
        way = section["way"].lower() if section else way
        lines.append(line if way == "up" else "")
    return "\n".join(lines)


def _version(path: str) -> str:
    name = PurePosixPath(path).name
    if repeatable := _REPEATABLE.fullmatch(name):
        return f"R__{repeatable['name']}"
    if flyway := _FLYWAY.fullmatch(name):
        return flyway["version"].replace("_", ".")
    if numbered := _NUMBERED.match(name):
        return numbered["version"]
    raise Invalid(
        f"{path} has no version",
        why="a migration's file name begins with its version, digits, as in 0001_people.sql or V1__people.sql",
        hint="rename the file, or move it out of migrations.path",
    )


def _order(version: str) -> tuple[int, tuple[int, ...], str]:
    if version.startswith("R__"):
        return 1, (), version
    return 0, tuple(int(part) for part in version.split(".")), version


def _refuse_same_number(sources: list[Source]) -> None:
    # 1 and 0001 are two names of one row where the record is a number.
    for before, after in pairwise(sources):
        if before.id[:1].isdigit() and _order(before.id)[:2] == _order(after.id)[:2]:
            raise Invalid(
                f"{after.path} and {before.path} have the same version, {before.id} and {after.id}",
                hint="give the newer one a version of its own",
            )
