"""What is to be told to whom and was not yet, and how far everything was read: one file, replaced as a whole.

A message is in it from the same moment on at which the cursor passes what it tells of,
so that none is lost or made twice whenever the engine is killed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import fairway
from fairway.engine.contract.versions import WRITTEN_BY
from fairway.engine.files import write_atomically
from fairway.engine.layout import Layout
from fairway.engine.notifications.limits import Bucket
from fairway.engine.notifications.sources import Cursor, new_changes, new_entries, now

MAX_WAITING = 500
_MAX_TOLD = 50
_MAX_ONCE = 200
_FILE = "outbox.json"


@dataclass
class Letter:
    """One message for one receiver. ``queued_at`` is in seconds since 1970."""

    id: int
    to: str
    event: str
    environment: str
    at: str
    kind: str
    title: str
    body: str
    queued_at: float
    tries: int = 0


@dataclass
class Trouble:
    """A receiver that could not be reached: since when, how often, when it is tried again, how many were given up."""

    since: str
    why: str
    tries: int = 0
    next_at: float = 0.0
    lost: int = 0


@dataclass
class Outbox:
    """Everything that is kept between two looks."""

    cursor: Cursor
    next_id: int = 1
    letters: list[Letter] = field(default_factory=list)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    #: What is told once and came already.
    once: list[str] = field(default_factory=list)
    #: The latest that were told, the newest last.
    told: list[dict[str, str]] = field(default_factory=list)

    def came_before(self, what: str) -> bool:
        """Say whether this came already, and note that it did."""
        if what in self.once:
            return True
        self.once = [*self.once, what][-_MAX_ONCE:]
        return False

    def note_told(self, letter: Letter, at: str) -> None:
        """Note that a message was handed over."""
        self.letters.remove(letter)
        row = {"to": letter.to, "event": letter.event, "environment": letter.environment}
        self.told = [*self.told, {**row, "title": letter.title, "at": letter.at, "told_at": at}][-_MAX_TOLD:]

    def write(self, layout: Layout) -> None:
        """Store it, readable by its owner only."""
        document = {**asdict(self), WRITTEN_BY: fairway.__version__}
        write_atomically(layout.notifications / _FILE, (json.dumps(document, ensure_ascii=False) + "\n").encode())


def read_outbox(layout: Layout) -> Outbox | None:
    """Return what is kept, None when nothing is, or nothing that can be read."""
    try:
        document = json.loads((layout.notifications / _FILE).read_bytes())
        return _parsed(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def is_done(layout: Layout) -> bool:
    """Say whether everything was read and told, held-back messages too."""
    outbox = read_outbox(layout)
    if outbox is None or outbox.letters or any(bucket.held for bucket in outbox.buckets.values()):
        return False
    return not new_entries(layout, outbox.cursor)[0] and not new_changes(layout, outbox.cursor)[0]


def begin(layout: Layout) -> Outbox:
    """Begin at this moment, when nothing is kept: what came before is history."""
    outbox = read_outbox(layout)
    if outbox is None:
        outbox = Outbox(now(layout))
        outbox.write(layout)
    return outbox


def forget(layout: Layout) -> None:
    """Forget how far everything was read: whoever is told again later is not told what came meanwhile."""
    (layout.notifications / _FILE).unlink(missing_ok=True)


def _parsed(document: Any) -> Outbox:
    return Outbox(
        cursor=Cursor(**document["cursor"]),
        next_id=int(document["next_id"]),
        letters=[Letter(**one) for one in document["letters"]],
        troubles={key: Trouble(**one) for key, one in document["troubles"].items()},
        buckets={key: Bucket(**one) for key, one in document["buckets"].items()},
        once=list(document["once"]),
        told=list(document["told"]),
    )
