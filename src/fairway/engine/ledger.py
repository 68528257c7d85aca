"""The record of every attempt on this host: append-only, each entry chained to the one before.

An entry's ``hash`` is the sha256 of its canonical JSON without that key, and
``prev`` is the hash of the entry before, so an entry that was changed, removed or
put in between shows.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.protocol import Outcome
from fairway.engine.files import append_line

GENESIS = "sha256:" + "0" * 64


class Ledger:
    """Reads and extends one host's ledger. Extend it only while holding the host's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, **facts: Any) -> dict[str, Any]:
        """Add an entry and wait until the disk has it."""
        entries = self.entries()
        entry: dict[str, Any] = {
            "n": len(entries) + 1,
            "at": clock.now(),
            **facts,
            "prev": entries[-1]["hash"] if entries else GENESIS,
        }
        entry["hash"] = entry_hash(entry)
        append_line(self._path, json.dumps(entry, ensure_ascii=False).encode() + b"\n", durable=True)
        return entry

    def entries(self) -> list[dict[str, Any]]:
        """Return all entries after checking the chain.

        Raises ``Failed`` naming the first line that does not fit: a ledger that
        was altered must not be built upon.
        """
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        entries: list[dict[str, Any]] = []
        previous = GENESIS
        for number, line in enumerate(lines, start=1):
            entry = _parse(line)
            if entry is None:
                continue  # a crash cut this append short; its deployment was recovered and has an entry of its own
            if entry.get("prev") != previous or entry.get("hash") != entry_hash(entry):
                raise Failed(
                    f"the ledger does not hold together at line {number}: {self._path}",
                    why="an entry was changed, removed or put in by something other than Fairway",
                    hint="keep the file as evidence, restore it from a backup, then try again",
                )
            previous = entry["hash"]
            entries.append(entry)
        return entries

    def has_run(self, release: str) -> bool:
        """Say whether this release was ever deployed here with success."""
        return any(e.get("release") == release and e.get("outcome") == Outcome.SUCCEEDED.value for e in self.entries())


def entry_hash(entry: dict[str, Any]) -> str:
    """Return the hash of an entry over everything but the hash itself."""
    body = {key: value for key, value in entry.items() if key != "hash"}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("hash"), str) else None
