"""Start: the new release's container, in the slot that does not serve."""

from __future__ import annotations

from fairway.engine.contract.errors import Failed
from fairway.engine.deployment import Deployment
from fairway.engine.draining import wait_idle
from fairway.engine.model import LABEL
from fairway.engine.steps.base import Direction, Recovery, Step


class Start(Step):
    """Start the application beside the one that serves."""

    name = "start"
    recovery = Recovery(
        Direction.UNDO, "the new container, started or half started", "stops and removes it; the old one serves"
    )

    def plan(self, deployment: Deployment) -> str:
        slot = deployment.request.slot
        if deployment.request.warm:
            return f"nothing: {slot.value} runs {deployment.request.tag.short} already"
        there = deployment.driver.slots().get(slot)
        instead = f", in the place of {there.labels.get(LABEL + 'tag', there.name)[:11]}" if there else ""
        return f"start {deployment.request.tag.short} in {slot.value}{instead}"

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
        if deployment.edge.serving() is slot:
            raise Failed(f"{slot.value} has the traffic, so it is not stopped")
        if deployment.edge.answers():
            # It may have had a part of the traffic, or all of it, for a while.
            wait_idle(deployment, self.name, slot, deployment.release.drain_timeout_s)
        deployment.driver.stop_slot(slot)
        return f"{slot.value} is stopped"
