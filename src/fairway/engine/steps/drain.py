"""Drain: what the old release is still serving may finish."""

from __future__ import annotations

from fairway.engine import clock
from fairway.engine.deployment import Deployment
from fairway.engine.draining import wait_idle
from fairway.engine.steps.base import Direction, Recovery, Step


class Drain(Step):
    """Wait for the old slot's open connections, up to the limit, then close what is left.

    When the old slot is to be kept warm, the edge closes them; when it is not, the
    application is asked to end (SIGTERM), with its own grace period, so that it can
    say goodbye to its streams itself.
    """

    name = "drain"
    finishes = True
    recovery = Recovery(
        Direction.FINISH,
        "the new release serving, the old one with connections that are still open",
        "counts the time anew and goes on",
    )

    def needed(self, deployment: Deployment) -> bool:
        return deployment.request.before.active is not None

    def plan(self, deployment: Deployment) -> str:
        old = deployment.request.old_slot
        end = "stopped" if _ends(deployment) else "closed"
        return f"what is open on {old.value} has {deployment.release.drain_timeout_s:g} s, then it is {end}"

    def run(self, deployment: Deployment) -> str:
        old, begun = deployment.request.old_slot, clock.monotonic()
        open_now = wait_idle(deployment, self.name, old, deployment.release.drain_timeout_s)
        if open_now:
            return self._close(deployment, open_now)
        deployment.edge.rest(old)
        return f"{old.value} is idle after {clock.monotonic() - begun:.1f} s"

    def _close(self, deployment: Deployment, open_now: int) -> str:
        old, limit_s = deployment.request.old_slot, deployment.release.drain_timeout_s
        if _ends(deployment):
            deployment.driver.stop_slot(old)
            said = f"{old.value} was asked to end with {open_now} connections open after {limit_s:g} s"
        else:
            said = f"closed {open_now} connections of {old.value} after {limit_s:g} s"
        deployment.edge.close_sessions(old)
        deployment.edge.rest(old)
        return said


def _ends(deployment: Deployment) -> bool:
    return deployment.release.warm_keep_s == 0
