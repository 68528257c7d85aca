"""The record of every attempt on this host: append-only, each entry chained to the one before.

Extending and asking it look at its end only, however long it has become; the
whole chain is checked when somebody asks for that. See :mod:`fairway.engine.contract.chain`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.chain import GENESIS, Chain, check_chain, entry_hash, parse_entry
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.protocol import Outcome
from fairway.engine.files import append_line, lines_backwards


class Ledger:
    """Reads and extends one host's ledger. Extend it only while holding the host's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, **facts: Any) -> dict[str, Any]:
        """Add an entry after the last one and wait until the disk has it.

        Raises ``Failed`` when the last entry was altered: nothing is built upon that.
        """
        last = next(self.newest_first(), None)
        entry: dict[str, Any] = {
            "n": last["n"] + 1 if last else 1,
            "at": clock.now(),
            **facts,
            "prev": last["hash"] if last else GENESIS,
        }
        entry["hash"] = entry_hash(entry)
        append_line(self._path, json.dumps(entry, ensure_ascii=False).encode() + b"\n", durable=True)
        return entry

    def newest_first(self, containing: str = "") -> Iterator[dict[str, Any]]:
        """Yield the entries from the last one back, reading no further than they are wanted.

        With ``containing``, an ASCII text, entries without it are passed over unread.
        Raises ``Failed`` at one whose content is not what its hash says.
        """
        wanted = containing.encode()
        for line in lines_backwards(self._path):
            entry = parse_entry(line) if wanted in line else None
            if entry is None:
                continue  # a crash cut this append short; its deployment was recovered and has an entry of its own
            if entry["hash"] != entry_hash(entry) or not isinstance(entry.get("n"), int):
                raise Failed(
                    f"entry {entry.get('n')} of the ledger was altered: {self._path}",
                    why="its content is not what its hash says",
                    hint="keep the file as evidence, restore it from a backup, then try again; "
                    "fairway history <environment> --verify checks all of it",
                )
            yield entry

    def newest(self, limit: int, tag: str = "") -> list[dict[str, Any]]:
        """Return the newest entries, the oldest of them first; with ``tag`` those whose tag begins so."""
        found = self.newest_first(containing=tag)
        matching = (entry for entry in found if not tag or str(entry.get("tag") or "").startswith(tag))
        return list(islice(matching, limit))[::-1]

    def lines(self) -> Iterator[dict[str, Any] | None]:
        """Yield every entry from the first on, unchecked; None for a line that a crash cut short."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for line in file:
                yield parse_entry(line)

    def verify(self) -> Chain:
        """Check the whole chain."""
        return check_chain(self.lines())

    def entries(self) -> list[dict[str, Any]]:
        """Return all entries, from the first on. Raises ``Failed`` naming the first line that does not fit."""
        found = list(self.lines())
        chain = check_chain(found)
        if not chain.whole:
            raise Failed(
                f"the ledger does not hold together at line {chain.broken_at}: {self._path}",
                why=chain.why,
                hint="keep the file as evidence, restore it from a backup, then try again",
            )
        return [entry for entry in found if entry is not None]

    def entry_of(self, deployment: str) -> dict[str, Any] | None:
        """Return the entry of this deployment; housekeeping may have written after it."""
        entries = self.newest_first(containing=deployment)
        return next((entry for entry in entries if entry.get("deployment") == deployment), None)

    def has_run(self, release: str) -> bool:
        """Say whether this release was ever deployed here with success."""
        return any(
            entry.get("release") == release and entry.get("outcome") == Outcome.SUCCEEDED.value
            for entry in self.newest_first(containing=release)
        )

    def was_let_in(self, release: str) -> bool:
        """Say whether the gate ever let this release in, whatever became of it then."""
        return any(
            entry.get("release") == release
            and (entry.get("outcome") == Outcome.SUCCEEDED.value or "verify" in (entry.get("steps") or {}))
            for entry in self.newest_first(containing=release)
        )

    def has_used(self, statement: str) -> bool:
        """Say whether a deployment that succeeded rested on this statement, by its digest."""
        return any(
            entry.get("outcome") == Outcome.SUCCEEDED.value and statement in _rested_on(entry)
            for entry in self.newest_first(containing=statement)
        )


def _rested_on(entry: dict[str, Any]) -> list[Any]:
    found = entry.get("evidence")
    return [one.get("statement") for one in found if isinstance(one, dict)] if isinstance(found, list) else []
