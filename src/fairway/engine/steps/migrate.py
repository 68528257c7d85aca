"""Migrate: run the release's migrations, once."""

from __future__ import annotations

from fairway.engine.deployment import Action, Deployment
from fairway.engine.steps.base import Step


class Migrate(Step):
    """Run the migrator in a container of its own, named after the deployment.

    A migration is not undone: the release before it runs on the new schema when
    the migrations are expanding ones.
    """

    name = "migrate"

    def needed(self, deployment: Deployment) -> bool:
        return deployment.request.action is Action.DEPLOY

    def run(self, deployment: Deployment) -> str:
        report = deployment.journal.progress
        identity = deployment.request.id
        return deployment.driver.migrate(deployment.launch, identity, lambda line: report(self.name, line))

    def undo(self, deployment: Deployment) -> str | None:
        deployment.driver.remove_migrator(deployment.request.id)
        return "the migrator is removed; what it committed stays"
