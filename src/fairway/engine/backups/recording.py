"""Put on the host's record what was done with backups, which happens beside deployments."""

from __future__ import annotations

from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import FairwayError, Locked
from fairway.engine.contract.protocol import Outcome
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import HOUSEKEEPING, Lock

_PATIENCE_S = 900.0


def record(layout: Layout, by: str, begun: float, *, error: FairwayError | None = None, **facts: Any) -> str | None:
    """Put it on the record, within the host's lock; return what kept it from that.

    ``begun`` is when it began, on the monotonic clock. Never call it with the store's
    lock held: a deployment waits for that, and holds the host's.
    """
    outcome = Outcome.FAILED if error else Outcome.SUCCEEDED
    told = {"error": error.as_json()} if error else {}
    try:
        lock = Lock.acquire(layout.lock, by=by, purpose=HOUSEKEEPING, wait_s=_PATIENCE_S)
    except Locked as busy:
        return f"it is not on the record, as the host was not free: {busy.what}"
    try:
        append(layout, begun, by=by, outcome=outcome.value, **facts, **told)
    finally:
        lock.release()
    return None


def append(layout: Layout, begun: float, **facts: Any) -> None:
    """Put it on the record; call with the host's lock held."""
    Ledger(layout.ledger).append(seconds=round(clock.monotonic() - begun, 3), **facts)


def unrecorded(error: FairwayError, problem: str | None) -> FairwayError:
    """Have an error say, too, that it is not on the record."""
    if problem is not None:
        error.why = f"{error.why}; {problem}" if error.why else problem
    return error


def restored_since_deployed(layout: Layout) -> bool:
    """Say whether a backup was put in use since migrations last ran: what it lacks is to be applied again."""
    for entry in Ledger(layout.ledger).newest_first():
        if entry.get("outcome") != Outcome.SUCCEEDED.value:
            continue
        if entry.get("action") in ("deploy", "restore"):
            return bool(entry["action"] == "restore")
    return False
