"""What ``status`` says of the edge: its processes as they describe themselves, and what is not as it should be."""

from __future__ import annotations

from typing import Any

from fairway.engine.contract.errors import FairwayError
from fairway.engine.hostconfig import HostConfig
from fairway.engine.instances.containers import EdgeContainer
from fairway.engine.instances.order import Deed, Seen, decide
from fairway.engine.instances.runtime import BASE
from fairway.engine.instances.settling import look_at_edge
from fairway.engine.layout import Layout

UPGRADE = "fairway edge upgrade <environment>"


def describe_edge(layout: Layout, host: HostConfig) -> dict[str, Any] | None:
    """Return the edge as a document: the image wanted, each instance, what drifts, what could be renewed.

    None before the first deployment, and while Docker does not answer.
    """
    if not (layout.edge / "haproxy.cfg").exists():
        return None
    try:
        return describe(look_at_edge(layout, host), host.edge_image)
    except FairwayError:
        return None


def describe(seen: Seen, wanted: str) -> dict[str, Any]:
    """Return the document for what was seen."""
    instances = [_instance(seen, container) for _, container in sorted(seen.containers.items())]
    drift = edge_drift(seen)
    return {"image": wanted, "instances": instances, "drift": drift, "notes": [] if drift else edge_notes(seen, wanted)}


def edge_drift(seen: Seen) -> list[str]:
    """Return one line for each thing about the edge that the next command would have to mend."""
    base = seen.containers.get(BASE)
    if base is None:
        return ["the edge: its container is gone; the next deployment starts it"]
    if not base.running:
        return [f"the edge: {base.name} is {base.status}; the next deployment starts it"]
    return [f"the edge: {_DRIFT[deed].format(_name(seen, n))}" for deed, n in decide(seen) if deed in _DRIFT]


_DRIFT = {
    Deed.FINISH: "an upgrade to {} was interrupted; the next command finishes it",
    Deed.UNDO: "an upgrade to {} was interrupted; the next command undoes it",
    Deed.ADOPT: "{} serves, but is not on record",
    Deed.MAKE: "{} is gone; the next command makes it anew",
    Deed.START: "{} is down; the next command starts it",
    Deed.RESTART: "{} has no part in the traffic; the next command starts it again",
    Deed.HAND_OVER: "the base accepts visitors beside {}; the next command has it stop",
}


def edge_notes(seen: Seen, wanted: str) -> list[str]:
    """Return what is not wrong but could be renewed, with the command that does."""
    current = seen.record.current
    container, process = seen.containers.get(current), seen.processes.get(current)
    notes = []
    if container is not None and container.image != wanted:
        notes.append(f"the edge runs {container.image}, wanted is {wanted}: {UPGRADE}")
    if process is not None and process.revision != seen.revision:
        notes.append(f"the edge runs with the configuration of another version of Fairway: {UPGRADE}")
    return notes


def _instance(seen: Seen, container: EdgeContainer) -> dict[str, Any]:
    process = seen.processes.get(container.number)
    return {
        "container": container.name,
        "image": container.image,
        "status": container.status,
        "since": container.started_at,
        "version": process.version if process else None,
        "configuration": process.revision if process else None,
        "connections": process.sessions if process else None,
        "role": _role(seen, container.number),
    }


def _role(seen: Seen, number: int) -> str:
    process = seen.processes.get(number)
    if process is None:
        return "down"
    if process.listening:
        return "listening"
    return "draining" if process.sessions else "idle"


def _name(seen: Seen, number: int) -> str:
    container = seen.containers.get(number)
    return container.name if container else f"the edge's process {number}"
