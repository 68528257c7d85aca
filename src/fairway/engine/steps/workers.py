"""Workers: the services that use the application's image follow it."""

from __future__ import annotations

from dataclasses import replace

from fairway.engine.deployment import Deployment
from fairway.engine.steps.base import Direction, Recovery, Step


class Workers(Step):
    """Have the workers run the release that serves, and see that they stay up."""

    name = "workers"
    recovery = Recovery(
        Direction.FINISH,
        "the new release serving, its workers old, new or in between",
        "moves the workers again and goes on; when one does not stay up, everything goes back",
    )

    def needed(self, deployment: Deployment) -> bool:
        return bool(deployment.release.compose.workers)

    def plan(self, deployment: Deployment) -> str:
        return f"recreate {', '.join(deployment.release.compose.workers)} with {deployment.request.tag.short}"

    def run(self, deployment: Deployment) -> str:
        return deployment.driver.move_workers(deployment.launch, deployment.refuse_cancelled)

    def undo(self, deployment: Deployment) -> str | None:
        before = deployment.request.before.active
        if before is None:
            return None
        back = replace(deployment.request, tag=before.tag, release=before.release, slot=before.slot)
        old = Deployment(deployment.layout, deployment.host, back)
        return f"{deployment.driver.move_workers(old.launch, _never)} back at {before.tag.short}"


def _never() -> None:
    """Going back is not itself cancelled."""
