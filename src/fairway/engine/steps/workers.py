"""Workers: the services that use the application's image follow it."""

from __future__ import annotations

from fairway.engine.deployment import Action, Deployment, Request
from fairway.engine.steps.base import Step


class Workers(Step):
    """Have the workers run the release that serves."""

    name = "workers"
    serves = True

    def needed(self, deployment: Deployment) -> bool:
        return bool(deployment.release.compose.workers)

    def run(self, deployment: Deployment) -> str:
        return deployment.driver.move_workers(deployment.launch)

    def undo(self, deployment: Deployment) -> str | None:
        before = deployment.request.before.active
        if before is None:
            return None
        request = deployment.request
        back = Request(request.id, Action.ROLLBACK, before.tag, before.release, before.slot, request.by, request.before)
        old = Deployment(deployment.layout, deployment.host, back)
        return f"{old.driver.move_workers(old.launch)} back at {before.tag.short}"
