"""What serves on this host now: asked of the edge and of Docker, then held against the record."""

from __future__ import annotations

from typing import Any

from fairway.engine.backups.standing import describe_backups
from fairway.engine.contract.names import Slot
from fairway.engine.drift import find_drift
from fairway.engine.drivers import Container
from fairway.engine.edge import ServerStats
from fairway.engine.gate.hold import read_hold
from fairway.engine.hostconfig import HostConfig
from fairway.engine.instances.describe import describe_edge
from fairway.engine.journal import latest_deployment
from fairway.engine.layout import Layout
from fairway.engine.lock import deploying
from fairway.engine.model import LABEL
from fairway.engine.observation import Observation, deployment_of, observe
from fairway.engine.rollbacks import describe_rollbacks
from fairway.engine.schema.look import open_schema
from fairway.engine.unit import unscheduled, unwatched


def describe_host(layout: Layout, host: HostConfig) -> dict[str, Any]:
    """Return the host's status as a document: what serves, both slots, what does not agree, what can be gone back to.

    While a deployment is going on the record is behind by nature, so nothing is
    called drift then.
    """
    seen = observe(layout, host)
    running = deploying(layout.lock)
    edge = describe_edge(layout, host)
    hold = read_hold(layout)
    schema = open_schema(layout, host)
    return {
        "project": host.project,
        "environment": host.environment,
        "serving": _serving(seen),
        "slots": {slot.value: _slot(seen, slot) for slot in Slot},
        "services": _services(seen),
        "schema": schema.describe(),
        "leftovers": _leftovers(layout, host, seen),
        "previous": seen.state.previous.as_json() if seen.state.previous else None,
        "rollbacks": describe_rollbacks(layout, host, seen, schema),
        "rollback_floor": schema.floor(layout),
        "locked": hold.as_json() if hold else None,
        "deploying": running is not None,
        "deployment": {**running, "id": latest_deployment(layout)} if running is not None else None,
        "backups": _backups(layout, host),
        "notifications": _notifications(layout, host),
        "edge": edge,
        "uptime": _uptime(layout, host),
        "drift": [] if running is not None else [*find_drift(seen), *(edge["drift"] if edge else ())],
    }


def _backups(layout: Layout, host: HostConfig) -> dict[str, Any]:
    # Asks systemd where something is scheduled, and only there.
    return describe_backups(layout, host, unscheduled=unscheduled(layout, host))


def _uptime(layout: Layout, host: HostConfig) -> list[dict[str, Any]] | None:
    if not host.watch:
        return None
    # Most hosts' status needs nothing of this.
    from fairway.engine.watcher.telling import describe_uptime

    return describe_uptime(layout, host, lambda: unwatched(layout, host))


def _notifications(layout: Layout, host: HostConfig) -> dict[str, Any] | None:
    if host.notifications is None:
        return None
    from fairway.engine.notifications.standing import describe

    return describe(layout, host)


def _serving(seen: Observation) -> dict[str, Any] | None:
    active = seen.active
    container = seen.slots.get(active) if active else None
    if active is None or container is None:
        return None
    recorded = seen.state.active
    known = recorded if recorded is not None and recorded.slot is active else None
    return {
        "slot": active.value,
        "tag": container.labels.get(LABEL + "tag"),
        "release": container.labels.get(LABEL + "release"),
        "image": container.image,
        "since": known.since if known else container.started_at,
        "by": known.by if known else None,
        "deployment": known.deployment if known else None,
    }


def _slot(seen: Observation, slot: Slot) -> dict[str, Any]:
    container: Container | None = seen.slots.get(slot)
    stats: ServerStats | None = (seen.edge or {}).get(slot)
    return {
        "tag": container.labels.get(LABEL + "tag") if container else None,
        "container": container.status if container else "none",
        "health": container.health if container else None,
        "restarts": container.restarts if container else None,
        "started_at": container.started_at if container else None,
        "edge": stats.status if stats else "unknown",
        "weight": stats.weight if stats else None,
        "connections": stats.sessions if stats else None,
        "active": slot is seen.active,
    }


def _services(seen: Observation) -> dict[str, str]:
    return {name: found[0].health or found[0].status for name, found in sorted(seen.others.items()) if found}


def _leftovers(layout: Layout, host: HostConfig, seen: Observation) -> dict[str, Any] | None:
    if seen.state.active is None:
        return None
    # Most releases name no leftovers, and then nothing of this is needed.
    deployment = deployment_of(layout, host, seen.state.active, seen.state)
    if not deployment.release.leftovers:
        return None
    from fairway.engine.clearing import leftovers_of

    return leftovers_of(deployment)
