"""What people have said of migrations: ``verdicts.toml``, beside them.

::

    [[accepted]]
    migration = "0005"
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    verdict = "contract"
    reason = "no release has read people.name since March"

An entry holds for exactly these bytes of this migration. Of one that was squashed from others it
may say which those were, ``replaces = ["0001", "0002"]``, when their files are gone and the tool
keeps no word of it: databases have their names on record all the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.contract.manifest import MAX_MIGRATIONS, Verdict
from fairway.engine.contract.migrations import recorded_name
from fairway.engine.contract.names import Digest

MAX_REASON = 500
_ENTRY = re.compile(r"^\s*\[\[\s*[\"']?accepted[\"']?\s*\]\]", re.MULTILINE)
_KEYS = {"migration", "sha256", "verdict", "reason"}
_REPLACES = "replaces"
_HEX = re.compile(r"[0-9a-f]{64}")
_BEGINNING = """\
# What people have said of the migrations here. Each entry is bound to the exact bytes of its
# migration, and an edit voids it. Written by: fairway migrations accept

"""


@dataclass(frozen=True)
class Accepted:
    """One entry: somebody's word on one migration. ``line`` is where it begins, 0 for one not yet written."""

    migration: str
    digest: Digest
    verdict: Verdict
    reason: str
    line: int = 0
    replaces: tuple[str, ...] = ()


def checked_reason(reason: str) -> str:
    """Return a reason in one line. Raises ``Invalid`` for an empty one and one beyond 500 characters."""
    text = " ".join(reason.split())
    if not text or len(text) > MAX_REASON or not text.isprintable():
        raise Invalid(
            f"a reason has from 1 to {MAX_REASON} printable characters" if text else "the reason is empty",
            hint="say why the previous release runs on, or why nobody will go back to it",
        )
    return text


def checked_replaces(migration: str, names: object) -> tuple[str, ...]:
    """Return the names of migrations that one stands for. Raises ``Invalid`` when they are none."""
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise Invalid("replaces must be a list of migrations' names")
    if len(names) > MAX_MIGRATIONS:
        raise Invalid(f"replaces has {len(names)} names, at most {MAX_MIGRATIONS}")
    if migration in names:
        raise Invalid(f"{migration[:100]} cannot stand for itself")
    return tuple(dict.fromkeys(recorded_name(name) for name in names))


def read_accepted(content: bytes, name: str) -> tuple[Accepted, ...]:
    """Read the file. Raises ``Invalid`` with the line of what is wrong in it."""
    try:
        text = content.decode("utf-8")
        document = tomllib.loads(text)
    except UnicodeDecodeError:
        raise Invalid(f"{name}: not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not valid TOML", why=str(error)[:200]) from None
    if unknown := sorted(set(document) - {"accepted"}):
        raise Invalid(f"{name}: unknown key {unknown[0][:60]!r}", hint="it has [[accepted]] entries only")
    entries = document.get("accepted", [])
    if not isinstance(entries, list):
        raise Invalid(f"{name}: accepted must be tables: [[accepted]]")
    # TOML's readers forget the lines. An inline list has one for all of its entries.
    lines = [text.count("\n", 0, found.end()) + 1 for found in _ENTRY.finditer(text)]
    lines = lines if len(lines) == len(entries) else [1] * len(entries)
    found = [_entry(entry, line, name) for entry, line in zip(entries, lines, strict=True)]
    seen: dict[str, int] = {}
    for one in found:
        if one.migration in seen:
            raise Invalid(
                f"{name}, line {one.line}: a second word on {one.migration[:100]!r}",
                why=f"the first is in line {seen[one.migration]}",
                hint="keep one of them",
            )
        seen[one.migration] = one.line
    return tuple(found)


def _entry(entry: Any, line: int, name: str) -> Accepted:
    where = f"{name}, line {line}"
    texts = {key: value for key, value in entry.items() if key != _REPLACES} if isinstance(entry, dict) else {}
    if set(texts) != _KEYS or not all(isinstance(value, str) for value in texts.values()):
        raise Invalid(
            f"{where}: an entry has the strings migration, sha256, verdict and reason",
            hint="and, for one that was squashed from others, their names: replaces; nothing else",
        )
    digest = entry["sha256"].removeprefix("sha256:")
    if not _HEX.fullmatch(digest):
        raise Invalid(f"{where}: sha256 must be 64 hexadecimal digits", hint="fairway migrations accept writes them")
    if entry["verdict"] not in (Verdict.EXPAND.value, Verdict.CONTRACT.value):
        raise Invalid(f'{where}: verdict must be "expand" or "contract"')
    try:
        replaces = checked_replaces(entry["migration"], entry.get(_REPLACES, []))
        reason = checked_reason(entry["reason"])
    except FairwayError as error:
        raise Invalid(f"{where}: {error.what}", hint=error.hint) from None
    return Accepted(entry["migration"], Digest(f"sha256:{digest}"), Verdict(entry["verdict"]), reason, line, replaces)


def write_accepted(content: bytes, entries: Sequence[Accepted]) -> bytes:
    """Return the file with entries put into it; one on the same migration gives way, comments stay."""
    text = content.decode("utf-8")
    try:
        document = tomlkit.parse(text or _BEGINNING)
    except (TOMLKitError, ValueError) as error:
        raise Invalid("verdicts.toml is not valid TOML", why=str(error)[:200]) from None
    tables = document.get("accepted", [])
    if tables and not isinstance(tables, AoT):
        raise Invalid("verdicts.toml: accepted is a list in one line", hint="write it as [[accepted]] entries")
    present: Mapping[str, Any] = {str(table.get("migration")): table for table in tables}
    new = []
    for one in entries:
        values: dict[str, Any] = {
            "sha256": one.digest.removeprefix("sha256:"),
            "verdict": one.verdict.value,
            "reason": one.reason,
        }
        if one.replaces:
            values[_REPLACES] = list(one.replaces)
        if one.migration in present:
            present[one.migration].update(values)
        else:
            new.append(tomlkit.dumps({"accepted": [{"migration": one.migration, **values}]}))
    blocks = [tomlkit.dumps(document), *new]
    return ("\n\n".join(block.strip("\n") for block in blocks) + "\n").encode()
