"""Ready: the new container answers on its readiness path, several times in a row, asked through the edge."""

from __future__ import annotations

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Slot
from fairway.engine.deployment import Deployment
from fairway.engine.drivers import Container
from fairway.engine.edge import Answer
from fairway.engine.steps.base import Step

_LOOK_AT_CONTAINER_EVERY_S = 0.5
_LOG_LINES = 15
_KILLED = 137


class Ready(Step):
    """Wait until the slot is fit to take traffic, and give up as soon as it cannot become so."""

    name = "ready"

    def run(self, deployment: Deployment) -> str:
        readiness, slot = deployment.release.readiness, deployment.request.slot
        begun = clock.monotonic()
        deadline = begun + readiness.timeout_s
        look_at = begun
        streak, shown = 0, ""
        while True:
            answer = deployment.edge.probe(slot, readiness.path)
            streak = streak + 1 if answer.ready else 0
            if streak >= readiness.successes:
                return f"{readiness.successes} times 200 on {readiness.path} after {clock.monotonic() - begun:.1f} s"
            if not answer.ready and clock.monotonic() >= look_at:
                _refuse_dead(deployment, slot)
                look_at = clock.monotonic() + _LOOK_AT_CONTAINER_EVERY_S
            line = describe(answer)
            if line != shown:
                deployment.journal.progress(self.name, deployment.redact(line))
                shown = line
            if clock.monotonic() >= deadline:
                raise _not_ready(deployment, slot, answer)
            clock.sleep(readiness.interval_s)


def describe(answer: Answer) -> str:
    """Return one line about an answer."""
    return answer.body if answer.status is None else f"{answer.status} {answer.body[:300]}".strip()


def _refuse_dead(deployment: Deployment, slot: Slot) -> None:
    container = deployment.driver.slots().get(slot)
    reason = death(container)
    if reason is None:
        return
    log = deployment.driver.log_tail(slot, _LOG_LINES)
    raise Failed(
        f"the new container does not stay up: {reason}",
        why=log or "it said nothing before it ended",
        hint="the last lines above are its own; traffic was not moved",
    )


def death(container: Container | None) -> str | None:
    """Say why a container cannot become ready, or None while it still can."""
    if container is None:
        return "it is gone"
    if container.oom_killed:
        return "it was killed for using more memory than it may (out of memory)"
    if container.status in ("exited", "dead", "restarting"):
        suffix = ", killed, often for lack of memory" if container.exit_code == _KILLED else ""
        return f"it exited with code {container.exit_code}{suffix}"
    if container.status == "created" and container.error:
        return f"it cannot be started: {container.error}"
    return None


def _not_ready(deployment: Deployment, slot: Slot, answer: Answer) -> Failed:
    readiness = deployment.release.readiness
    log = deployment.driver.log_tail(slot, _LOG_LINES)
    last = deployment.redact(describe(answer))
    return Failed(
        f"{deployment.request.tag.short} was not ready within {readiness.timeout_s:g} s",
        why=f"GET {readiness.path}: {last}\nlast lines of its log:\n{log}",
        hint="the answer above names what is missing; traffic was not moved",
    )
