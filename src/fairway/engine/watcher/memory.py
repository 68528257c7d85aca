"""What the watcher knows from one look to the next.

``changes.jsonl`` is written first and believed more: a look that was killed between the
two is not told a second time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fairway.engine.files import write_atomically
from fairway.engine.watcher.changes import Change, Line
from fairway.engine.watcher.deciding import Standing, State
from fairway.engine.watcher.doors import Door

#: Nobody has looked yet.
_UNSEEN = Standing()


@dataclass(frozen=True)
class Known:
    """What is known of a door: the address it is known by, how it is, and when it was last looked at."""

    url: str
    standing: Standing = _UNSEEN
    asked_at: str | None = None


@dataclass(frozen=True)
class Memory:
    """All that is known: doors by their environment, and whether the host is as recorded (up) or drifts (down)."""

    doors: dict[str, Known] = field(default_factory=dict)
    drift: Standing = _UNSEEN
    #: The id of the last change that this takes account of.
    last: str = ""

    def door(self, door: Door) -> Known:
        """Return what is known of a door; nothing of one that has got another address."""
        known = self.doors.get(door.environment)
        return known if known is not None and known.url == door.url else Known(door.url)

    def with_door(self, environment: str, known: Known) -> Memory:
        """Know this of a door from now on."""
        return replace(self, doors={**self.doors, environment: known})

    def following(self, changes: Iterable[Line]) -> Memory:
        """Return it with the changes that it does not know of yet; they come newest first."""
        newer: list[Line] = []
        for line in changes:
            if line.id <= self.last:
                break
            newer.append(line)
        memory = self
        for line in reversed(newer):
            memory = replace(memory._with(line), last=line.id)
        return memory

    def _with(self, line: Line) -> Memory:
        if line.kind in (Change.DRIFT, Change.DRIFT_ENDED):
            state = State.DOWN if line.kind is Change.DRIFT else State.UP
            return replace(self, drift=Standing(state, line.at))
        state = State.DOWN if line.kind is Change.DOWN else State.UP
        known = self.doors.get(line.environment)
        asked_at = known.asked_at if known is not None else None
        return self.with_door(line.environment, Known(line.subject, Standing(state, line.at, line.why), asked_at))

    def write(self, path: Path) -> None:
        """Store it. Raises ``OSError``."""
        document = {
            "doors": {
                name: {"url": known.url, "asked_at": known.asked_at, **_as_json(known.standing)}
                for name, known in self.doors.items()
            },
            "drift": _as_json(self.drift),
            "last": self.last,
        }
        write_atomically(path, (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())


def recall(path: Path) -> Memory:
    """Read what is known; nothing where there is nothing, or nothing that can be read."""
    try:
        found = json.loads(path.read_bytes())
        return Memory(
            doors={
                str(name): Known(str(one["url"]), _standing(one), _text(one["asked_at"]))
                for name, one in found["doors"].items()
            },
            drift=_standing(found["drift"]),
            last=str(found["last"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Memory()


def _as_json(standing: Standing) -> dict[str, Any]:
    return {"state": standing.state.value, "since": standing.since, "why": standing.why}


def _standing(found: dict[str, Any]) -> Standing:
    return Standing(State(found["state"]), _text(found["since"]), str(found["why"]))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
