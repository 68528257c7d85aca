"""Hold an environment: while somebody has locked it, nothing changes what serves.

Unlike the engine's own lock (:mod:`fairway.engine.lock`), which lives as long as a
process does, this is a file: it outlives commands and reboots, until it is taken away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import Invalid, Locked
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.protocol import Outcome
from fairway.engine.files import sync_directory, write_atomically
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger


@dataclass(frozen=True)
class Hold:
    """Who has locked the environment, why, and since when."""

    by: str
    reason: str
    since: str

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return dict(vars(self))


def read_hold(layout: Layout) -> Hold | None:
    """Return the hold, None when there is none. One that cannot be read is still a hold."""
    try:
        content = layout.hold.read_bytes()
    except FileNotFoundError:
        return None
    try:
        fields = Fields(parse_json(content, str(layout.hold)), str(layout.hold))
        return Hold(fields.text("by"), fields.text("reason"), fields.text("since"))
    except Invalid as error:
        return Hold("somebody", f"unreadable: {error.what}", "unknown")


def refuse_held(layout: Layout, environment: str) -> None:
    """Raise ``Locked`` when somebody has locked the environment."""
    hold = read_hold(layout)
    if hold is not None:
        raise Locked(
            f"{environment} is locked by {hold.by}: {hold.reason}",
            why=f"since {hold.since}",
            hint=f"ask them, or: fairway unlock {environment}",
        )


def take_hold(layout: Layout, *, by: str, reason: str) -> Hold:
    """Lock the environment, on the record. Call with the host's lock held. Raises ``Locked`` when it is already."""
    held = read_hold(layout)
    if held is not None:
        raise Locked(f"it is already locked by {held.by}: {held.reason}", why=f"since {held.since}")
    hold = Hold(by, reason, clock.now())
    write_atomically(layout.hold, (json.dumps(hold.as_json(), indent=2) + "\n").encode())
    Ledger(layout.ledger).append(action="lock", by=by, reason=reason, outcome=Outcome.SUCCEEDED.value)
    return hold


def give_hold_up(layout: Layout, *, by: str) -> Hold | None:
    """Unlock the environment, on the record; return what held it. Call with the host's lock held."""
    held = read_hold(layout)
    if held is None:
        return None
    reason = f"it was locked by {held.by}: {held.reason}"
    Ledger(layout.ledger).append(action="unlock", by=by, reason=reason, outcome=Outcome.SUCCEEDED.value)
    layout.hold.unlink()
    sync_directory(layout.root)
    return held
