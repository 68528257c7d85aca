"""``state.json``: the release that is recorded as serving, and the one before it.

A record, not the truth: what serves is asked of the edge and of Docker.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fairway
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.names import Digest, Slot, Tag
from fairway.engine.contract.versions import WRITTEN_BY, reading, take_writer
from fairway.engine.files import write_atomically


@dataclass(frozen=True)
class Occupant:
    """A release in a slot, and the deployment that put it there."""

    slot: Slot
    tag: Tag
    release: Digest
    deployment: str
    since: str
    by: str

    def as_json(self) -> dict[str, Any]:
        return {**self.__dict__, "slot": self.slot.value}

    @classmethod
    def parse(cls, fields: Fields) -> Occupant:
        occupant = cls(
            slot=fields.parsed("slot", Slot),
            tag=fields.parsed("tag", Tag),
            release=fields.parsed("release", Digest),
            deployment=fields.text("deployment"),
            since=fields.text("since"),
            by=fields.text("by"),
        )
        fields.end()
        return occupant


@dataclass(frozen=True)
class State:
    """What the last finished deployment left: ``active`` serves, ``previous`` can be gone back to."""

    active: Occupant | None
    previous: Occupant | None

    @classmethod
    def parse(cls, fields: Fields) -> State:
        """Take a state out of a document."""
        active = Occupant.parse(fields.object("active")) if fields.has("active") else None
        previous = Occupant.parse(fields.object("previous")) if fields.has("previous") else None
        fields.end()
        return cls(active, previous)

    def as_json(self) -> dict[str, Any]:
        """Return the state as a document."""
        return {
            "active": self.active.as_json() if self.active else None,
            "previous": self.previous.as_json() if self.previous else None,
        }

    def write(self, path: Path) -> None:
        """Store the state."""
        document = {**self.as_json(), WRITTEN_BY: fairway.__version__}
        write_atomically(path, (json.dumps(document, indent=2) + "\n").encode())


def read_state(path: Path) -> State:
    """Read the recorded state; a host that never deployed has an empty one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return State(None, None)
    document = parse_json(content, str(path))
    with reading(str(path), take_writer(document)):
        return State.parse(Fields(document, str(path)))
