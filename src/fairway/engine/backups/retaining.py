"""What the retention of a host means for the backups that lie on it."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.engine import clock
from fairway.engine.backups.retention import Candidate, Decision, Keep, keep
from fairway.engine.backups.store import Backup, Reason
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger


def decide(layout: Layout, host: HostConfig, backups: Iterable[Backup]) -> tuple[Decision, ...]:
    """Decide on each backup, the newest first; touch nothing."""
    backups = tuple(backups)
    taken_for, failed = _on_record(layout, backups)
    upkeep = host.upkeep
    policy = Keep(host.backups.keep, upkeep.daily, upkeep.weekly, upkeep.monthly)
    candidates = [
        Candidate(one.id, clock.parse(one.taken_at), one.id not in failed, taken_for.get(one.id)) for one in backups
    ]
    return keep(candidates, policy, clock.parse(clock.now()), deployments=set(taken_for.values()))


def _on_record(layout: Layout, backups: tuple[Backup, ...]) -> tuple[dict[str, str], set[str]]:
    """Read for which deployments, of releases that are kept, backups were taken, and which failed their last drill."""
    wanted = {one.id: one for one in backups}
    if not wanted:
        return {}, set()
    releases = {path.name for path in layout.releases.iterdir()} if layout.releases.is_dir() else set()
    taken_for: dict[str, str] = {}
    drilled: dict[str, bool] = {}
    oldest = min(one.taken_at for one in backups)
    for entry in Ledger(layout.ledger).newest_first():
        if str(entry.get("at", "")) < oldest:
            break  # before any of them was taken
        identity = _backup_of(entry)
        if identity not in wanted:
            continue
        if entry.get("action") == "drill":
            drilled.setdefault(identity, entry.get("outcome") == "succeeded")
        elif (
            entry.get("deployment")
            and entry.get("tag") in releases
            and wanted[identity].reason is Reason.DEPLOY
        ):
            taken_for.setdefault(identity, str(entry["deployment"]))
    return taken_for, {identity for identity, good in drilled.items() if not good}


def _backup_of(entry: dict[str, object]) -> str:
    found = entry.get("backup")
    return str(found.get("id")) if isinstance(found, dict) else str(found)
