"""Canary: the new release gets a part of the requests, then a larger one, and is watched at each."""

from __future__ import annotations

from fairway.engine.deployment import Action, Deployment
from fairway.engine.steps.base import Direction, Recovery, Step
from fairway.engine.watch import watch


class Canary(Step):
    """Move traffic in weights; a release that does worse than the one beside it gets none."""

    name = "canary"
    recovery = Recovery(
        Direction.UNDO,
        "both slots serving, the new one with a part of the requests",
        "sends all new requests to the old slot, then stops the new container",
    )

    def needed(self, deployment: Deployment) -> bool:
        return (
            deployment.request.action is Action.DEPLOY
            and bool(deployment.release.soak.canary)
            and deployment.request.before.active is not None
        )

    def plan(self, deployment: Deployment) -> str:
        soak = deployment.release.soak
        shares = ", ".join(f"{percent} %" for percent in soak.canary)
        return f"{shares} of new requests to {deployment.request.slot.value}, {soak.canary_s:g} s each"

    def run(self, deployment: Deployment) -> str:
        soak, slot = deployment.release.soak, deployment.request.slot
        deployment.driver.keep_slot(deployment.launch, slot)
        said = []
        for percent in soak.canary:
            # Each share is judged by its own requests, and so is the old slot beside it.
            deployment.edge.clear_figures()
            deployment.edge.share(slot, percent)
            deployment.journal.progress(self.name, f"{percent} % of new requests go to {slot.value}")
            said.append(f"{percent} %: {watch(deployment, self.name, soak.canary_s, None)}")
        return "; ".join(said)

    def undo(self, deployment: Deployment) -> str | None:
        before = deployment.request.before.active
        if before is None:
            return None
        deployment.edge.switch(deployment.release.compose.app_port, before.slot)
        return f"all new requests go to {before.tag.short} ({before.slot.value})"
