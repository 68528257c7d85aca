"""Migrate: run the release's migrations, once."""

from __future__ import annotations

from fairway.engine.contract.errors import FairwayError
from fairway.engine.deployment import Deployment
from fairway.engine.releases import load_release
from fairway.engine.schema.look import check_schema, refuse_unapplied
from fairway.engine.steps.base import Direction, Recovery, Step
from fairway.engine.steps.preflight import note_forced

# A migrator whose engine was lost is left to its work this long; its transaction is nearer to its end than a new one.
_LEFT_TO_FINISH_S = 30.0


class Migrate(Step):
    """Run the migrator in a container of its own, named after the deployment.

    Its exit code is not believed: where the release says what it ships, all of that
    has to be on record afterwards. A migration is not undone: the release before it
    runs on the new schema when the migrations are expanding ones.
    """

    name = "migrate"
    recovery = Recovery(
        Direction.UNDO,
        "a migrator at work or ended, perhaps with its statement still running in the database",
        "waits for it, then ends it and its database sessions, and reads what was applied; what it committed stays",
    )

    def needed(self, deployment: Deployment) -> bool:
        return deployment.migrates

    def plan(self, deployment: Deployment) -> str:
        applied = deployment.driver.applied(deployment.launch)
        now = f"; on record now: {_last(applied)}" if applied is not None else ""
        migrator = deployment.release.migrator
        return f"run {migrator.repository.path}@{migrator.digest.short}{now}{_new(deployment)}"

    def run(self, deployment: Deployment) -> str:
        identity = deployment.request.id
        note_forced(deployment, check_schema(deployment, started=True))
        done = deployment.driver.migrate(
            deployment.launch, identity, deployment.told(self.name), deployment.refuse_cancelled
        )
        deployment.journal.noted(self.name, before=done.before, after=done.after)
        applied = refuse_unapplied(deployment)
        return deployment.redact(done.said) + (f"; {applied}" if applied else "")

    def undo(self, deployment: Deployment) -> str | None:
        # A deployment that failed or was cancelled has somebody waiting; one that was lost has not.
        patience_s = 0.0 if deployment.attended else _LEFT_TO_FINISH_S
        told = deployment.told(self.name)
        left = deployment.driver.end_migrator(deployment.launch, deployment.request.id, told, patience_s=patience_s)
        deployment.journal.noted(self.name, after=left.after)
        record = f" (on record: {_last(left.after)})" if left.after is not None else ""
        return f"the migrator is removed; what it committed stays{record}"


def _last(applied: tuple[str, ...] | None) -> str:
    return applied[-1] if applied else "nothing"


def _new(deployment: Deployment) -> str:
    """Say which migrations come with the release, each with its verdict."""
    active = deployment.request.before.active
    before: set[str] = set()
    try:
        if active is not None:
            before = {one.id for one in load_release(deployment.layout, active.tag).release.migrations.shipped}
    except FairwayError:
        return ""  # what serves is not here any more, so what is new cannot be told
    new = [one for one in deployment.release.migrations.shipped if one.id not in before]
    said = [f"{one.id} {one.verdict.value.upper()}" + (f" ({one.words})" if one.words else "") for one in new]
    return f"; new migrations: {'; '.join(said)}" if said else ""
