"""What the retention of a host means for the backups that lie on it."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.engine import clock
from fairway.engine.backups.retention import Candidate, Decision, Keep, keep
from fairway.engine.backups.store import Backup, Reason
from fairway.engine.contract.protocol import Outcome
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger


def decide(layout: Layout, host: HostConfig, backups: Iterable[Backup]) -> tuple[Decision, ...]:
    """Decide on each backup, the newest first; touch nothing."""
    backups = tuple(backups)
    deployments, drilled = _on_record(layout, backups)
    upkeep = host.upkeep
    policy = Keep(host.backups.keep, upkeep.daily, upkeep.weekly, upkeep.monthly)
    candidates = [
        # A deployment's backup has the deployment's own id.
        Candidate(
            one.id,
            clock.parse(one.taken_at),
            good=drilled.get(one.id, True),
            tried=drilled.get(one.id, False),
            deployment=one.id if one.reason is Reason.DEPLOY else None,
        )
        for one in backups
    ]
    return keep(candidates, policy, clock.parse(clock.now()), deployments=deployments)


def _on_record(layout: Layout, backups: tuple[Backup, ...]) -> tuple[set[str], dict[str, bool]]:
    """Read which deployments were of releases that are kept, and what the last drill that could tell said of a backup.

    That is True where it was restored whole, and False where it was found unsound.
    """
    releases = {path.name for path in layout.releases.iterdir()} if layout.releases.is_dir() else set()
    deployments: set[str] = set()
    drilled: dict[str, bool] = {}
    oldest = min((one.taken_at for one in backups), default="")
    for entry in Ledger(layout.ledger).newest_first():
        if not backups or str(entry.get("at", "")) < oldest:
            break  # before any of them was taken
        restored = entry.get("outcome") == Outcome.SUCCEEDED.value and bool(entry.get("restored"))
        if entry.get("action") == "drill" and (restored or entry.get("unsound")):
            # One that failed for want of room, or of the right key, says nothing of the backup.
            drilled.setdefault(str(entry.get("backup")), restored)
        elif entry.get("deployment") and entry.get("tag") in releases:
            deployments.add(str(entry["deployment"]))
    return deployments, drilled
