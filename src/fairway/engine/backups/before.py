"""The backup that a deployment takes before it migrates."""

from __future__ import annotations

from collections.abc import Sequence

from fairway.engine import docker
from fairway.engine.backups.flow import Report
from fairway.engine.backups.postgres import SESSION, Postgres, candidates, database_service, locate
from fairway.engine.backups.store import Backup, Reason, Store
from fairway.engine.backups.taking import Order, discard, take
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.drivers import Container
from fairway.engine.drivers.containers import SERVICE_LABEL, Containers
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.model import is_postgres
from fairway.engine.process import Check
from fairway.engine.redact import Redactor
from fairway.engine.spawn import spawn_logging_to
from fairway.engine.state import read_state

# Another dump that is under way is waited for: it would stand in the way of the migration, too.
# However long it takes: whoever deploys may cancel.
_OTHER_BACKUP_PATIENCE_S = 24 * 3600.0


def back_up(
    layout: Layout, host: HostConfig, service: str | None, identity: str, *, report: Report, check: Check
) -> Backup | str:
    """Take a backup under the deployment's id; return why not when the project has no PostgreSQL, or an empty one.

    Raises ``Failed`` for a database that is known to be there and does not run.

    What was kept already, by a run of the step that was lost, is not taken twice.
    """
    store = Store(layout)
    if store.metadata(identity).exists():
        return store.read(identity)
    containers = Containers(layout, Redactor({}))
    if host.backups.external is None and not candidates(containers, host, service):
        refuse_down(containers.of_project(host.project), service, known=database_service(layout))
        return absent(service)
    active = read_state(layout.state).active
    order = Order(identity, active.tag if active else None, Reason.DEPLOY, host.backups.recipients)

    def notice(line: str) -> None:
        check()
        report(line)

    with store.locked(by="fairway", purpose="backup", wait_s=_OTHER_BACKUP_PATIENCE_S, notice=notice):
        postgres = locate(layout, host, service)
        postgres.end_sessions(f"{SESSION}-2")  # of dumps that were lost, which would stand in the migration's way
        env = docker.environment(layout.docker_config)
        backup = take(store, postgres, order, env, report=report, check=check)
    if backup is None:
        return "the database has no tables yet"
    if host.upkeep.offsite is not None:
        # The deployment does not wait for it.
        spawn_logging_to(layout.backups / "copy.log", "scheduled", "copy")
    return backup


def refuse_down(containers: Sequence[Container], service: str | None, *, known: str | None) -> None:
    """Raise ``Failed`` when the database is there and does not run; call when no candidate runs.

    ``service`` is the one named as the database, ``known`` the one that the release which serves names.
    """
    if service is None:
        # One that ended may have been somebody's psql.
        down = [one for one in containers if is_postgres(one.image) and one.status == "restarting"]
    else:
        down = [one for one in containers if one.labels.get(SERVICE_LABEL) == service]
    if down or (service is not None and service == known):
        raise Failed(
            f"the database {service or down[0].name} does not run, and cannot be backed up",
            why=f"its container is {down[0].status}" if down else "it has no container",
            hint="have it run first: fairway logs <environment>, fairway reconcile <environment>",
        )


def absent(service: str | None) -> str:
    """Say that nothing was backed up, and what to set if there is a database after all."""
    if service is not None:
        return f"nothing was backed up: {service} was never started here"
    return (
        "nothing was backed up: no PostgreSQL was found; if there is one, name its service with"
        " compose.database_service in fairway.toml, or with backup.url_key one that is elsewhere"
    )


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
