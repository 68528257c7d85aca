"""The backup that a deployment takes before it migrates."""

from __future__ import annotations

from fairway.engine import docker
from fairway.engine.backups.flow import Report
from fairway.engine.backups.postgres import Postgres, candidates, locate
from fairway.engine.backups.store import Backup, Reason, Store
from fairway.engine.backups.taking import Order, discard, take
from fairway.engine.contract.errors import FairwayError
from fairway.engine.drivers.containers import Containers
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.process import Check
from fairway.engine.redact import Redactor
from fairway.engine.spawn import spawn_logging_to
from fairway.engine.state import read_state

# Another dump that is under way is waited for: it would stand in the way of the migration, too.
# However long it takes: whoever deploys may cancel.
_OTHER_BACKUP_PATIENCE_S = 24 * 3600.0


def back_up(
    layout: Layout, host: HostConfig, service: str | None, identity: str, *, report: Report, check: Check
) -> Backup | None:
    """Take a backup under the deployment's id; return None when the project has no PostgreSQL, or an empty one.

    What was kept already, by a run of the step that was lost, is not taken twice.
    """
    store = Store(layout)
    if store.metadata(identity).exists():
        return store.read(identity)
    containers = Containers(layout, Redactor({}))
    if host.backups.external is None and not candidates(containers, host, service):
        report("no PostgreSQL runs in this project; backup.url_key in fairway.toml names one that is elsewhere")
        return None
    active = read_state(layout.state).active
    order = Order(identity, active.tag if active else None, Reason.DEPLOY, host.backups.recipients)

    def notice(line: str) -> None:
        check()
        report(line)

    with store.locked(by="fairway", purpose="backup", wait_s=_OTHER_BACKUP_PATIENCE_S, notice=notice):
        postgres = locate(layout, host, service)
        env = docker.environment(layout.docker_config)
        backup = take(store, postgres, order, env, report=report, check=check)
    if backup is not None and host.upkeep.offsite is not None:
        # The deployment does not wait for it.
        spawn_logging_to(layout.backups / "copy.log", "scheduled", "copy")
    return backup


def end_backup(layout: Layout, host: HostConfig, service: str | None, identity: str) -> bool:
    """Have no part and no session of the deployment's backup left; return whether there was a part."""
    store = Store(layout)
    if not store.part(identity).exists() or store.metadata(identity).exists():
        return False
    postgres: Postgres | None = None
    try:
        postgres = locate(layout, host, service)
    except FairwayError:
        postgres = None  # one that is down reads nothing any more
    discard(store, postgres, identity)
    return True
