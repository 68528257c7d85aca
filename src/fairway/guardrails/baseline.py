"""Old sins: findings that were there when a rule came, kept in a file until somebody mends them.

A finding is known again by its rule, its file and its code without regard to white space, so that
moving lines changes nothing; of the same code twice in one file, each counts.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from fairway.engine.contract.errors import Invalid

VERSION = 1
_SHOWN = 100


class Keyed(Protocol):
    """What a baseline knows a finding by."""

    @property
    def rule(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def text(self) -> str: ...


F = TypeVar("F", bound=Keyed)


@dataclass(frozen=True)
class Entry:
    """A known finding, ``count`` times in its file. ``code`` is its beginning, for whoever reads the file."""

    rule: str
    path: str
    fingerprint: str
    code: str
    count: int = 1


@dataclass(frozen=True)
class Compared(Generic[F]):
    """Findings held against a baseline; ``stale`` entries have fewer findings than they count."""

    new: tuple[F, ...]
    known: tuple[F, ...]
    stale: tuple[Entry, ...]


def fingerprint(rule: str, path: str, text: str) -> str:
    """Return what a finding is known by, wherever in its file it stands."""
    return hashlib.sha256("\0".join((rule, path, "".join(text.split()))).encode()).hexdigest()[:32]


def compare(findings: Sequence[F], entries: Iterable[Entry], looked_at: Collection[str] | None = None) -> Compared[F]:
    """Tell new findings from known ones.

    ``looked_at`` are the files that were checked, None for all: an entry of another file is not stale.
    """
    entries = list(entries)
    left = Counter({entry.fingerprint: entry.count for entry in entries})
    new: list[F] = []
    known: list[F] = []
    for finding in findings:
        key = fingerprint(finding.rule, finding.path, finding.text)
        if left[key] > 0:
            left[key] -= 1
            known.append(finding)
        else:
            new.append(finding)
    stale = [e for e in entries if left[e.fingerprint] > 0 and (looked_at is None or e.path in looked_at)]
    return Compared(tuple(new), tuple(known), tuple(stale))


def entries_of(findings: Iterable[Keyed]) -> tuple[Entry, ...]:
    """Return the entries that make all of the findings known."""
    counted: dict[str, Entry] = {}
    for finding in findings:
        key = fingerprint(finding.rule, finding.path, finding.text)
        before = counted[key].count if key in counted else 0
        code = " ".join(finding.text.split())[:_SHOWN]
        counted[key] = Entry(finding.rule, finding.path, key, code, before + 1)
    return tuple(sorted(counted.values(), key=lambda entry: (entry.path, entry.rule, entry.fingerprint)))


def read(file: Path) -> tuple[Entry, ...]:
    """Read a baseline; a missing file is an empty one. Raises ``Invalid``."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise Invalid(f"{file.name} is not a baseline", why=str(error)[:200], hint=_HINT) from None
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise Invalid(f"{file.name} is not a baseline of version {VERSION}", hint=_HINT)
    return tuple(_entry(item, file.name) for item in _list(document.get("findings"), file.name))


_HINT = "write it anew with: fairway guardrails check --write-baseline"


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid(f"{name}: findings must be a list", hint=_HINT)
    return value


def _entry(item: Any, name: str) -> Entry:
    try:
        entry = Entry(**item)
        texts = (entry.rule, entry.path, entry.fingerprint, entry.code)
        if all(isinstance(text, str) for text in texts) and isinstance(entry.count, int) and entry.count > 0:
            return entry
    except TypeError:
        pass
    raise Invalid(f"{name} has an entry that is none: {str(item)[:80]}", hint=_HINT)


def write(file: Path, entries: Iterable[Entry]) -> None:
    """Write a baseline, one finding a line, so that its history and its merges can be read."""
    lines = ",\n    ".join(json.dumps(vars(entry), ensure_ascii=False) for entry in entries)
    findings = f"[\n    {lines}\n  ]" if lines else "[]"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'{{\n  "version": {VERSION},\n  "findings": {findings}\n}}\n', encoding="utf-8")
