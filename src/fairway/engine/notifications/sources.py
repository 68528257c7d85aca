"""What has been written since one last looked: in the ledger, and by the watcher.

Neither file is this package's own: one that is missing, cut short by a crash, pruned or
put back from a copy is read as far as it goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from fairway.engine.contract.errors import FairwayError
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.watcher.changes import Changes

# What lies further back than this is history, whatever the cursor says.
_MOST = 500


@dataclass(frozen=True)
class Cursor:
    """How far one has read: the ledger's last entry, and the watcher's last change with its time."""

    ledger: int = 0
    change: str = ""
    changed_at: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return dict(vars(self))


def now(layout: Layout) -> Cursor:
    """Return the cursor of somebody who has read everything."""
    _, cursor = new_entries(layout, Cursor())
    changes = read_changes(layout)
    return _past(cursor, changes[-1]) if changes else cursor


def new_entries(layout: Layout, cursor: Cursor) -> tuple[list[dict[str, Any]], Cursor]:
    """Return the ledger's entries after the cursor, the oldest first, and the cursor after them.

    In a ledger that ends before the cursor, one that was put back, there is nothing new.
    Of one that was altered only what comes after that is read.
    """
    found: list[dict[str, Any]] = []
    newest: int | None = None
    try:
        for entry in Ledger(layout.ledger).newest_first():
            newest = entry["n"] if newest is None else newest
            if entry["n"] <= cursor.ledger or len(found) >= _MOST:
                break
            found.append(entry)
    except (FairwayError, OSError):
        pass  # whoever deploys next is told, in words
    return found[::-1], replace(cursor, ledger=newest) if newest is not None else cursor


def new_changes(layout: Layout, cursor: Cursor) -> tuple[list[dict[str, Any]], Cursor]:
    """Return the watcher's changes after the cursor, the oldest first, and the cursor after them.

    Where the one that was read last is gone, pruned or with its file, time tells.
    """
    changes = read_changes(layout)
    place = next((index for index, one in enumerate(changes) if one["id"] == cursor.change), None)
    if place is not None and changes[place]["at"] == cursor.changed_at:
        found = changes[place + 1 :]
    else:
        found = [one for one in changes if one["at"] > cursor.changed_at]
    found = found[-_MOST:]
    return found, _past(cursor, found[-1]) if found else cursor


def read_changes(layout: Layout) -> list[dict[str, Any]]:
    """Return the watcher's newest changes, the oldest first."""
    newest = islice(Changes(layout.changes).newest_first(), _MOST)
    try:
        return [change.as_json() for change in newest][::-1]
    except OSError:
        return []


def _past(cursor: Cursor, change: dict[str, Any]) -> Cursor:
    return replace(cursor, change=change["id"], changed_at=change["at"])
