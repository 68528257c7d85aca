"""Start: the new release's container, in the slot that does not serve."""

from __future__ import annotations

from fairway.engine.deployment import Deployment
from fairway.engine.steps.base import Step


class Start(Step):
    """Start the application beside the one that serves."""

    name = "start"

    def run(self, deployment: Deployment) -> str:
        slot = deployment.request.slot
        if deployment.request.warm:
            return f"{slot.value} is still warm"
        deployment.driver.start_slot(deployment.launch, slot)
        container = deployment.driver.slots().get(slot)
        if container is not None and len(container.addresses) == 1:
            deployment.edge.point(slot, container.addresses[0], deployment.release.compose.app_port)
        return f"{deployment.request.tag.short} in {slot.value}"

    def undo(self, deployment: Deployment) -> str | None:
        slot = deployment.request.slot
        if deployment.request.warm:
            return None
        deployment.driver.stop_slot(slot)
        return f"{slot.value} is stopped"
