"""A host's record, read whole and checked here: the host's word for it is one of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fairway.engine.contract.chain import Chain, check_chain
from fairway.engine.contract.protocol import Operation
from fairway.remote.session import EngineSession

Entry = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """A host's whole record; ``here`` is what checking it on this side found, ``host`` what the host says of it."""

    entries: tuple[Entry, ...]
    here: Chain
    host: dict[str, Any]
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what was found out about it, without the entries."""
        return {
            "entries": self.here.entries,
            "head": self.here.head,
            "here": self.here.as_json(),
            "host": self.host,
            "problems": list(self.problems),
        }


def read_record(engine: EngineSession, *, known: str = "", on_entry: Callable[[Entry], None] | None = None) -> Record:
    """Read every entry, hand each over as it comes, and check the chain.

    ``known`` is the hash of an entry that was noted earlier: it must still be there.
    """
    lines: list[Entry | None] = []

    def take(event: Entry) -> None:
        if event.get("kind") != "entry":
            return
        entry = event.get("entry")
        lines.append(entry if isinstance(entry, dict) else None)
        if isinstance(entry, dict) and on_entry is not None:
            on_entry(entry)

    host = engine.call(Operation.LEDGER, take)
    here = check_chain(lines)
    entries = tuple(entry for entry in lines if entry is not None)
    return Record(entries, here, host, tuple(problems(here, host, entries, known)))


def problems(here: Chain, host: dict[str, Any], entries: tuple[Entry, ...], known: str) -> list[str]:
    """Say what is wrong with a record, and where the host's word is not what was found here."""
    found = []
    if not here.whole:
        found.append(f"line {here.broken_at}: {here.why}")
    said = {key: host.get(key) for key in ("entries", "head", "broken_at")}
    if said != {"entries": here.entries, "head": here.head, "broken_at": here.broken_at}:
        found.append(
            f"the host says {said['entries']} entries hold together up to {said['head']}, "
            f"here it is {here.entries} up to {here.head}"
        )
    if known and known not in {str(entry.get("hash")) for entry in entries[: here.entries]}:
        found.append(f"the entry {known} that was noted earlier is not in the chain: it was written anew or cut short")
    return found
