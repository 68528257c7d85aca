"""Drain: what the old release is still serving may finish."""

from __future__ import annotations

from fairway.engine import clock
from fairway.engine.deployment import Deployment
from fairway.engine.steps.base import Step

_ASK_EVERY_S = 0.05
_TELL_EVERY_S = 1.0


class Drain(Step):
    """Wait for the old slot's open connections, up to the limit, then close what is left.

    The old slot stays up, warm for a rollback.
    """

    name = "drain"
    serves = True
    finishes = True

    def needed(self, deployment: Deployment) -> bool:
        return deployment.request.before.active is not None

    def run(self, deployment: Deployment) -> str:
        old = deployment.request.slot.other
        limit_s = deployment.release.drain_timeout_s
        begun = clock.monotonic()
        told = begun - _TELL_EVERY_S
        while True:
            open_now = deployment.edge.stats()[old].sessions
            elapsed = clock.monotonic() - begun
            if open_now == 0:
                deployment.edge.rest(old)
                return f"{old.value} is idle after {elapsed:.1f} s"
            if elapsed >= limit_s:
                deployment.edge.close_sessions(old)
                deployment.edge.rest(old)
                return f"closed {open_now} connections of {old.value} after {limit_s:g} s"
            if clock.monotonic() - told >= _TELL_EVERY_S:
                deployment.journal.progress(self.name, f"{open_now} open, {limit_s - elapsed:.0f} s left")
                told = clock.monotonic()
            clock.sleep(_ASK_EVERY_S)
