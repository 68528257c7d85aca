"""The chain that holds a record together, computed alike by the host that keeps it and by whoever checks it.

An entry's ``hash`` is the sha256 of its canonical JSON without that key (keys
sorted, no spaces, UTF-8), ``prev`` is the hash of the entry before, and ``n`` counts
from 1. So an entry that was changed, removed or put in between shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

GENESIS = "sha256:" + "0" * 64


@dataclass(frozen=True)
class Chain:
    """What checking a record found: how many entries hold together, and the hash of the last of them.

    ``broken_at`` is the number of the first line that does not fit, None when all
    do; ``torn`` are the lines that a crash cut short, which hold nothing.
    """

    entries: int
    head: str
    broken_at: int | None
    why: str
    torn: tuple[int, ...]

    @property
    def whole(self) -> bool:
        """Say whether nothing was changed, removed or put in."""
        return self.broken_at is None

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "entries": self.entries,
            "head": self.head,
            "broken_at": self.broken_at,
            "why": self.why,
            "torn": list(self.torn),
        }


def entry_hash(entry: dict[str, Any]) -> str:
    """Return the hash of an entry over everything but the hash itself."""
    body = {key: value for key, value in entry.items() if key != "hash"}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def parse_entry(line: bytes) -> dict[str, Any] | None:
    """Return the entry in a line, None for one that a crash cut short."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("hash"), str) else None


def check_chain(entries: Iterable[dict[str, Any] | None]) -> Chain:
    """Follow the chain from its beginning to the first entry that does not fit; None stands for a torn line."""
    count, head = 0, GENESIS
    torn: list[int] = []
    for line, entry in enumerate(entries, start=1):
        if entry is None:
            torn.append(line)
            continue
        why = _misfit(entry, count + 1, head)
        if why is not None:
            return Chain(count, head, line, why, tuple(torn))
        count, head = count + 1, str(entry["hash"])
    return Chain(count, head, None, "", tuple(torn))


def _misfit(entry: dict[str, Any], number: int, previous: str) -> str | None:
    if entry.get("hash") != entry_hash(entry):
        return "its content is not what its hash says: it was changed"
    if entry.get("prev") != previous:
        return "it does not follow the entry before it: one was removed, changed or put in"
    if entry.get("n") != number:
        return f"it counts as number {entry.get('n')}, expected was {number}"
    return None
