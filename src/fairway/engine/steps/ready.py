"""Ready: the new container answers on its readiness path, several times in a row, asked through the edge."""

from __future__ import annotations

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.deployment import Deployment
from fairway.engine.diagnosis import death, describe, listeners, port_remedy, remedy, wrong_port
from fairway.engine.edge import Answer
from fairway.engine.steps.base import Direction, Recovery, Step

_LOOK_AT_CONTAINER_EVERY_S = 0.5
_LOG_LINES = 15


class Ready(Step):
    """Wait until the slot is fit to take traffic, and give up as soon as it cannot become so."""

    name = "ready"
    recovery = Recovery(
        Direction.UNDO, "the new container, not yet known to be ready", "stops and removes it; the old one serves"
    )

    def plan(self, deployment: Deployment) -> str:
        readiness = deployment.release.readiness
        return f"GET {readiness.path} must answer 200 {readiness.successes} times within {readiness.timeout_s:g} s"

    def run(self, deployment: Deployment) -> str:
        readiness, slot = deployment.release.readiness, deployment.request.slot
        begun = clock.monotonic()
        look_at = begun
        streak, shown = 0, ""
        while True:
            deployment.refuse_cancelled()
            answer = deployment.edge.probe(slot, readiness.path)
            streak = streak + 1 if answer.ready else 0
            elapsed_s = clock.monotonic() - begun
            if streak >= readiness.successes:
                return f"{readiness.successes} times 200 on {readiness.path} after {elapsed_s:.1f} s"
            if not answer.ready and clock.monotonic() >= look_at:
                _refuse_hopeless(deployment, answer, elapsed_s)
                look_at = clock.monotonic() + _LOOK_AT_CONTAINER_EVERY_S
            line = describe(answer)
            if line != shown:
                deployment.told(self.name)(line)
                shown = line
            if elapsed_s >= readiness.timeout_s:
                raise _not_ready(deployment, answer)
            clock.sleep(readiness.interval_s)


def _refuse_hopeless(deployment: Deployment, answer: Answer, elapsed_s: float) -> None:
    """Raise ``Failed`` when the container has ended, or has been listening elsewhere for too long."""
    slot = deployment.request.slot
    container = deployment.driver.slots().get(slot)
    reason = death(container)
    if reason is not None:
        log = deployment.driver.log_tail(slot, _LOG_LINES)
        raise Failed(
            f"the new container does not stay up: {reason}",
            why=log or "it said nothing before it ended",
            hint=remedy(container, log),
        )
    port = deployment.release.compose.app_port
    if container is None or answer.status is not None or elapsed_s < deployment.release.readiness.listen_s:
        return
    reason = wrong_port(listeners(container.pid), port)
    if reason is not None:
        raise Failed(
            f"the new container cannot be reached: {reason}",
            why=deployment.driver.log_tail(slot, _LOG_LINES) or "it said nothing",
            hint=port_remedy(port),
        )


def _not_ready(deployment: Deployment, answer: Answer) -> Failed:
    readiness = deployment.release.readiness
    log = deployment.driver.log_tail(deployment.request.slot, _LOG_LINES)
    last = deployment.redact(describe(answer))
    return Failed(
        f"{deployment.request.tag.short} was not ready within {readiness.timeout_s:g} s",
        why=f"GET {readiness.path}: {last}\nlast lines of its log:\n{log}",
        hint="the answer above names what is missing; traffic was not moved",
    )
