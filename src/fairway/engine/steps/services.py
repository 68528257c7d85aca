"""Services: the database, the cache and the edge are up and healthy."""

from __future__ import annotations

from fairway.engine.deployment import Deployment
from fairway.engine.steps.base import Step


class Services(Step):
    """Start what is down; never recreate what is there."""

    name = "services"

    def needed(self, deployment: Deployment) -> bool:
        return not deployment.request.warm or not deployment.edge.answers()

    def run(self, deployment: Deployment) -> str:
        report = deployment.journal.progress
        return deployment.driver.start_services(deployment.launch, lambda line: report(self.name, line))
