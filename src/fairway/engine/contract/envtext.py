"""The text of an environment file: a strict subset that every reader of such files understands alike.

Compose, bash, python-dotenv and ``docker run --env-file`` disagree on ``$``,
quotes, tabs, carriage returns and trailing comments. A line is therefore blank, a
comment, ``KEY=bare`` with bare from ``[A-Za-z0-9_./:@%+=,-]*``, or ``KEY='text'``
with neither a quote nor a control character inside, nor what some take for more than
it is: two backslashes in a row, one at the end, and ``${``. Everything else is refused
with file, line and the way to mend it; the value is never shown.

All four read a bare value alike. Of a quoted one ``docker run --env-file`` keeps the
quotes, so that the other three do. ``tests/host/test_envfile.py`` holds them against each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fairway.engine.contract.errors import Invalid

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARE = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")
_QUOTED = re.compile(r"'[^'\x00-\x1f\x7f]*'")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Compose and python-dotenv take \\ and \' for an escape in single quotes, too, and the latter fills in ${...} there.
_DISAGREED = re.compile(r"\\\\|\\$|\$\{")


@dataclass(frozen=True)
class Problem:
    """One line that cannot be taken, what is wrong with it, and how it is mended; never its value."""

    line: int
    what: str
    hint: str


@dataclass(frozen=True)
class EnvText:
    """What an environment file says: the values of the lines that can be taken, and what is wrong with the others."""

    values: Mapping[str, str]
    problems: tuple[Problem, ...] = ()


def scan_env(text: str) -> EnvText:
    """Read the whole text, whatever is wrong with it."""
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip(" "):
            continue
        if line.lstrip(" ").startswith("#"):
            if _CONTROL.search(line.rstrip("\r")):
                hint = "some readers begin a new line there: take it out"
                problems.append(Problem(number, "the comment has a control character in it", hint))
            continue
        key, separator, value = line.partition("=")
        if not separator or not _KEY.fullmatch(key):
            hint = "no 'export', no spaces around '=', letters, digits and '_' in the key"
            problems.append(Problem(number, "not of the form KEY=value", hint))
        elif key in values:
            problems.append(Problem(number, f"{key} is set a second time", "keep one of the two lines"))
        elif _BARE.fullmatch(value):
            values[key] = value
        elif _QUOTED.fullmatch(value) and not _DISAGREED.search(value[1:-1]):
            values[key] = value[1:-1]
        else:
            problems.append(Problem(number, f"the value of {key} {_why(value)}", _hint(value)))
    return EnvText(values, tuple(problems))


def parse_env(text: str, name: str) -> dict[str, str]:
    """Parse the text of an environment file; ``name`` is what errors call it.

    Raises ``Invalid`` with the line number for anything outside the subset and
    for a key that is set twice.
    """
    found = scan_env(text)
    if found.problems:
        first, *others = found.problems
        lines = ", ".join(str(problem.line) for problem in others[:20])
        raise Invalid(
            f"{name}, line {first.line}: {first.what}",
            why=f"there is something wrong with line {lines}, too" if others else "",
            hint=first.hint,
        )
    return dict(found.values)


def with_value(text: str, key: str, value: str) -> str:
    """Return the text with the key's line replaced, or added at the end; everything else stays as it is.

    Raises ``Invalid`` for a key or a value that no line can hold; the value is never shown.
    """
    if not _KEY.fullmatch(key):
        raise Invalid(f"not a variable's name: {key[:60]!r}", hint="letters, digits and '_', not a digit first")
    line = f"{key}={_written(key, value)}"
    lines = text.split("\n")
    for index, present in enumerate(lines):
        if present.partition("=")[0] == key and "=" in present:
            return "\n".join([*lines[:index], line, *lines[index + 1 :]])
    kept = text if not text or text.endswith("\n") else text + "\n"
    return f"{kept}{line}\n"


def _written(key: str, value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    if _QUOTED.fullmatch(f"'{value}'") and not _DISAGREED.search(value):
        return f"'{value}'"
    raise Invalid(
        f"the value of {key} has a single quote, a control character, two backslashes, one at the end, or ${{ in it",
        why="no way to write it is understood alike by Compose, bash and the others that read such files",
        hint="choose another; a file's content can go in as base64",
    )


def _why(value: str) -> str:
    if _QUOTED.fullmatch(value):
        return "has two backslashes, one at the end, or ${ in it, which readers disagree on"
    if "\r" in value:
        return "ends in a carriage return"
    if value.startswith(("'", '"')):
        return "is quoted in a way that readers disagree on"
    return "needs single quotes"


def _hint(value: str) -> str:
    if _QUOTED.fullmatch(value):
        return "choose a value without it"
    if "\r" in value:
        return "save the file with Unix line ends: sed -i 's/\\r$//'"
    if "'" in value.strip("'"):
        return "choose a value without a single quote in it"
    return "write KEY='value' in single quotes, with nothing after the closing quote"
