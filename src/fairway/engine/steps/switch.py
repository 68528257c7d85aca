"""Switch: new requests go to the new release."""

from __future__ import annotations

from fairway.engine.deployment import Deployment
from fairway.engine.steps.base import Step


class Switch(Step):
    """Move traffic by the edge's runtime socket; what the old slot is serving goes on."""

    name = "switch"

    def run(self, deployment: Deployment) -> str:
        slot = deployment.request.slot
        if not deployment.request.warm:
            deployment.driver.keep_slot(deployment.launch, slot)
        deployment.edge.switch(deployment.release.compose.app_port, slot)
        before = deployment.request.before.active
        origin = f"{before.tag.short} ({before.slot.value})" if before else "nothing"
        return f"{origin} -> {deployment.request.tag.short} ({slot.value})"

    def undo(self, deployment: Deployment) -> str | None:
        before = deployment.request.before.active
        if before is None:
            deployment.edge.rest(deployment.request.slot)
            return "nothing serves, as before"
        deployment.edge.switch(deployment.release.compose.app_port, before.slot)
        return f"back to {before.tag.short} ({before.slot.value})"
