"""Switch: new requests go to the new release."""

from __future__ import annotations

from fairway.engine.contract.errors import Failed
from fairway.engine.deployment import Deployment
from fairway.engine.diagnosis import death
from fairway.engine.steps.base import Direction, Recovery, Step


class Switch(Step):
    """Move traffic by the edge's runtime socket; what the old slot is serving goes on."""

    name = "switch"
    recovery = Recovery(
        Direction.ASK_EDGE,
        "new requests going to the old slot or to the new one, which was found ready",
        "asks the edge: to the new one, it finishes the deployment; otherwise it undoes it",
    )

    def plan(self, deployment: Deployment) -> str:
        return f"new requests go {_move(deployment)}"

    def run(self, deployment: Deployment) -> str:
        slot = deployment.request.slot
        if not deployment.request.warm:
            deployment.driver.keep_slot(deployment.launch, slot)
        deployment.edge.switch(deployment.release.compose.app_port, slot)
        return _move(deployment)

    def undo(self, deployment: Deployment) -> str | None:
        before = deployment.request.before.active
        if before is None:
            deployment.edge.rest(deployment.request.slot)
            return "nothing serves, as before"
        reason = death(deployment.driver.slots().get(before.slot))
        if reason is not None:
            raise Failed(f"{before.tag.short} is not there to go back to: {reason}")
        deployment.edge.switch(deployment.release.compose.app_port, before.slot)
        return f"back to {before.tag.short} ({before.slot.value})"


def _move(deployment: Deployment) -> str:
    before, request = deployment.request.before.active, deployment.request
    origin = f"{before.tag.short} ({before.slot.value})" if before else "nothing"
    return f"{origin} -> {request.tag.short} ({request.slot.value})"
