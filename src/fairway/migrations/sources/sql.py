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
#: As the tools themselves find them; what they do not take for a marker is a comment, and what follows it is run.
_SECTION = re.compile(r"--(?P<tool>\s*migrate:|\s*\+goose\s+| \+migrate\s+)(?P<way>up|down)(?:\s|$)", re.IGNORECASE)


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
        sql = text if again or _runs_whole(path) else without_down(text)
        sources.append(Source(version, path, Digest.of(body), sql, again=again))
    sources.sort(key=lambda one: _order(one.id))
    refuse_twice(sources, "version")
    _refuse_same_number(sources)
    return tuple(sources)


def without_down(text: str) -> str:
    """Blank out the sections that undo, keeping every line where it is.

    One undoes only behind a section of the same tool that does: no tool takes it for one elsewhere.
    """
    undoes, began, lines = False, set(), []
    for line in text.split("\n"):
        if section := _SECTION.match(line):
            tool = section["tool"].strip().lower()
            undoes = section["way"].lower() == "down" and tool in began
            began |= set() if undoes else {tool} if section["way"].lower() == "up" else set()
        lines.append("" if undoes else line)
    return "\n".join(lines)


def _runs_whole(path: str) -> bool:
    """Say whether a file is of a tool that knows no sections: Flyway, golang-migrate."""
    name = PurePosixPath(path).name
    return _FLYWAY.fullmatch(name) is not None or name.lower().endswith(".up.sql")


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
