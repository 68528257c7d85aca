"""Read ``.env.production``: a strict subset that every reader of such files understands alike.

Compose, bash, python-dotenv and ``docker run --env-file`` disagree on ``$``,
quotes, tabs, carriage returns and trailing comments. A line is therefore blank, a
comment, ``KEY=bare`` with bare from ``[A-Za-z0-9_./:@%+=,-]*``, or ``KEY='text'``
with neither a quote nor a line break inside. Everything else is refused with file,
line and the way to mend it; the value is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from fairway.engine.contract.errors import Invalid

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BARE = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")
_QUOTED = re.compile(r"'[^'\x00-\x1f\x7f]*'")


def parse_env(text: str, name: str) -> dict[str, str]:
    """Parse the text of an environment file; ``name`` is what errors call it.

    Raises ``Invalid`` with the line number for anything outside the subset and
    for a key that is set twice.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip(" ") or line.lstrip(" ").startswith("#"):
            continue
        where = f"{name}, line {number}"
        key, separator, value = line.partition("=")
        if not separator or not _KEY.fullmatch(key):
            raise Invalid(
                f"{where}: not of the form KEY=value",
                hint="no 'export', no spaces around '=', letters, digits and '_' in the key",
            )
        if key in values:
            raise Invalid(f"{where}: {key} is set a second time", hint="keep one of the two lines")
        if _BARE.fullmatch(value):
            values[key] = value
        elif _QUOTED.fullmatch(value):
            values[key] = value[1:-1]
        else:
            raise Invalid(f"{where}: the value of {key} {_why(value)}", hint=_hint(value))
    return values


def read_env(path: Path, *, required: Iterable[str]) -> dict[str, str]:
    """Read a host's environment file and check that the required keys have values.

    Raises ``Invalid`` when the file is missing, readable by others, outside the
    subset, or lacks a required key; names the file, line or key, never a value.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        raise Invalid(
            f"{path} is missing",
            why="it holds the long-lived settings of this environment and is the operator's to write",
            hint=f"copy .env.production.example there, fill it in, then: chmod 600 {path}",
        ) from None
    except UnicodeDecodeError:
        raise Invalid(f"{path} is not UTF-8 text", hint="save it again as UTF-8") from None
    except PermissionError:
        raise Invalid(
            f"{path} cannot be read by the deploy user",
            hint=f"make it the deploy user's own: chown it, chmod 600 {path}",
        ) from None
    if mode & 0o077:
        raise Invalid(f"{path} can be read by others (mode {mode:04o})", hint=f"chmod 600 {path}")
    values = parse_env(text, str(path))
    missing = [key for key in required if not values.get(key)]
    if missing:
        raise Invalid(
            f"{path} lacks {', '.join(missing)}",
            why="fairway.toml lists these under env.required",
            hint="add the missing lines; nothing was changed on this host",
        )
    return values


def _why(value: str) -> str:
    if "\r" in value:
        return "ends in a carriage return"
    if value.startswith(("'", '"')):
        return "is quoted in a way that readers disagree on"
    return "needs single quotes"


def _hint(value: str) -> str:
    if "\r" in value:
        return "save the file with Unix line ends: sed -i 's/\\r$//'"
    if "'" in value.strip("'"):
        return "choose a value without a single quote in it"
    return "write KEY='value' in single quotes, with nothing after the closing quote"
