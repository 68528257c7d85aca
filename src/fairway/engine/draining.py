"""Let a slot that gets no new requests finish what it is serving."""

from __future__ import annotations

from fairway.engine import clock
from fairway.engine.contract.names import Slot
from fairway.engine.deployment import Deployment

_ASK_EVERY_S = 0.05
_TELL_EVERY_S = 1.0


def wait_idle(deployment: Deployment, step: str, slot: Slot, limit_s: float) -> int:
    """Wait until a slot has no open connection, for ``limit_s`` at most, counting down; return how many are left.

    Raises ``Failed`` when the edge does not answer.
    """
    begun = clock.monotonic()
    told = begun - _TELL_EVERY_S
    while True:
        open_now = deployment.edge.stats()[slot].sessions
        elapsed = clock.monotonic() - begun
        if open_now == 0 or elapsed >= limit_s:
            return open_now
        if clock.monotonic() - told >= _TELL_EVERY_S:
            deployment.journal.progress(step, f"{open_now} open, {limit_s - elapsed:.0f} s left")
            told = clock.monotonic()
        clock.sleep(_ASK_EVERY_S)
