"""Backup: the database is dumped before it is migrated."""

from __future__ import annotations

from fairway.engine.backups.recording import restored_since_deployed
from fairway.engine.contract.errors import FairwayError
from fairway.engine.deployment import Deployment
from fairway.engine.releases import load_release
from fairway.engine.steps.base import Direction, Recovery, Step


class Backup(Step):
    """Dump the database, read the dump to its end and keep it, unless nothing is to be migrated."""

    name = "backup"
    recovery = Recovery(
        Direction.UNDO,
        "a part of a dump, perhaps with its session still reading the database; or a whole backup",
        "ends the session and removes the part; a backup that was whole stays",
    )

    def needed(self, deployment: Deployment) -> bool:
        return deployment.migrates and deployment.host.backups.before_migrations and not nothing_new(deployment)

    def plan(self, deployment: Deployment) -> str:
        recipients = deployment.host.backups.recipients
        return f"dump the database{', encrypted' if recipients else ''}"

    def run(self, deployment: Deployment) -> str:
        taken = deployment.driver.back_up(
            deployment.launch, deployment.request.id, deployment.told(self.name), deployment.refuse_cancelled
        )
        if isinstance(taken, str):
            return taken
        deployment.journal.noted(self.name, backup=taken.id, sha256=taken.sha256)
        rows = f", {sum(taken.tables.values())} rows" if taken.tables is not None else ""
        return f"{taken.database}, {taken.size_bytes / 2**20:.1f} MiB{rows}"

    def undo(self, deployment: Deployment) -> str | None:
        left = deployment.driver.end_backup(deployment.launch, deployment.request.id)
        return "the part of a dump is removed" if left else None


def nothing_new(deployment: Deployment) -> bool:
    """Say whether the release brings the very migrations that the one which serves has applied."""
    active = deployment.request.before.active
    if active is None:
        return False
    try:
        before = load_release(deployment.layout, active.tag).release.migrations
        files = deployment.release.migrations.files
    except FairwayError:
        return False
    return bool(files) and before.files == files and not restored_since_deployed(deployment.layout)
