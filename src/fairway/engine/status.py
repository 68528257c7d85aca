"""What serves on this host now: asked of the edge and of Docker, then held against the record."""

from __future__ import annotations

from typing import Any

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.names import Slot
from fairway.engine.drivers import Container
from fairway.engine.drivers.compose import ComposeDriver
from fairway.engine.edge import Edge, ServerStats
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.lock import is_held
from fairway.engine.model import LABEL
from fairway.engine.redact import Redactor
from fairway.engine.state import State, read_state


def describe_host(layout: Layout, host: HostConfig) -> dict[str, Any]:
    """Return the host's status as a document: what serves, both slots, and what does not agree."""
    edge = Edge(layout.edge, layout.edge_run)
    containers = ComposeDriver(layout, host, edge, Redactor({})).slots()
    state = read_state(layout.state)
    try:
        stats = edge.stats()
        active = edge.active()
    except FairwayError:
        stats, active = {}, None
    serving = containers.get(active) if active else None
    return {
        "project": host.project,
        "environment": host.environment,
        "serving": _serving(state, active, serving),
        "slots": {slot.value: _slot(containers.get(slot), stats.get(slot), slot is active) for slot in Slot},
        "previous": state.previous.as_json() if state.previous else None,
        "deploying": is_held(layout.lock),
        "drift": drift(state, active, serving),
    }


def drift(state: State, active: Slot | None, serving: Container | None) -> list[str]:
    """Say where what serves is not what is recorded."""
    recorded = state.active
    if recorded is None:
        return [] if active is None else [f"{active.value} serves, but nothing is recorded as deployed"]
    if active is None:
        return ["the edge sends traffic nowhere, or does not answer"]
    found = []
    if active is not recorded.slot:
        found.append(f"the edge serves {active.value}, recorded is {recorded.slot.value}")
    if serving is None:
        found.append(f"the container of {active.value} is gone")
    elif not serving.running:
        found.append(f"the container of {active.value} is {serving.status}")
    elif active is recorded.slot and serving.labels.get(LABEL + "release") != recorded.release:
        found.append(f"the container of {active.value} runs another release than the recorded one")
    return found


def _serving(state: State, active: Slot | None, container: Container | None) -> dict[str, Any] | None:
    if active is None or container is None:
        return None
    known = state.active if state.active and state.active.slot is active else None
    return {
        "slot": active.value,
        "tag": container.labels.get(LABEL + "tag"),
        "release": container.labels.get(LABEL + "release"),
        "image": container.image,
        "since": known.since if known else container.started_at,
        "by": known.by if known else None,
        "deployment": known.deployment if known else None,
    }


def _slot(container: Container | None, stats: ServerStats | None, active: bool) -> dict[str, Any]:
    return {
        "tag": container.labels.get(LABEL + "tag") if container else None,
        "container": container.status if container else "none",
        "health": container.health if container else None,
        "started_at": container.started_at if container else None,
        "edge": stats.status if stats else "unknown",
        "connections": stats.sessions if stats else None,
        "active": active,
    }
