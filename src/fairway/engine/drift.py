"""Where a host differs from what is recorded: decided on an observation alone."""

from __future__ import annotations

from collections.abc import Iterator

from fairway.engine.contract.names import Slot
from fairway.engine.diagnosis import death
from fairway.engine.drivers import Container
from fairway.engine.model import EDGE_SERVICE, LABEL
from fairway.engine.observation import Observation, Recorded

#: What drift is about; the edge is looked at by itself (fairway.engine.instances).
KINDS = ("interrupted", "traffic", "container", "services", "files", "edge")

_ONE_OFF = "com.docker.compose.oneoff"
# A migrator ends by itself, and the edge is looked at as a whole (fairway.engine.instances).
_OF_ITS_OWN = ("migrator", "edge", "trial")


def find_drift(seen: Observation) -> list[str]:
    """Return one line for each thing that is not as recorded, the gravest first."""
    return [line for lines in drift_by_kind(seen).values() for line in lines]


def drift_by_kind(seen: Observation) -> dict[str, list[str]]:
    """Return the lines by what they are about, in the same order."""
    lost = [f"interrupted: {seen.interrupted}; the next command recovers it first"] if seen.interrupted else []
    if seen.recorded is None:
        unknown = [f"{slot.value} serves, but nothing is recorded as deployed" for slot in seen.serving]
        return {"interrupted": lost, "traffic": unknown}
    return {
        "interrupted": lost,
        "traffic": list(_traffic(seen, seen.recorded)),
        "container": list(_container(seen, seen.recorded)),
        "services": list(_services(seen, seen.recorded)),
        "files": list(_files(seen.recorded)),
    }


def _traffic(seen: Observation, recorded: Recorded) -> Iterator[str]:
    slot = recorded.occupant.slot
    if seen.edge is None:
        yield "the edge does not answer"
    elif not seen.serving:
        yield "the edge sends traffic nowhere"
    elif len(seen.serving) > 1:
        yield f"the edge sends traffic to both slots, recorded is {slot.value}"
    elif seen.serving[0] is not slot:
        yield f"the edge serves {seen.serving[0].value}, recorded is {slot.value}"


def _container(seen: Observation, recorded: Recorded) -> Iterator[str]:
    slot: Slot = recorded.occupant.slot
    container = seen.slots.get(slot)
    if container is None:
        yield f"the container of {slot.value} is gone"
        return
    if not container.running:
        reason = death(container)
        yield f"the container of {slot.value} is {container.status}{f': {reason}' if reason else ''}"
    if container.labels.get(LABEL + "release") != recorded.occupant.release:
        yield f"the container of {slot.value} runs another release than the recorded one, or was made by hand"
    elif recorded.settings is not None and container.labels.get(LABEL + "settings") != recorded.settings:
        yield f"{recorded.env_file} changed since the container of {slot.value} was started with it"
    if not recorded.image_here:
        yield f"the image of {recorded.occupant.tag.short} is missing on the host"


def _services(seen: Observation, recorded: Recorded) -> Iterator[str]:
    for name in recorded.workers:
        found = seen.others.get(name, ())
        if not found:
            yield f"the worker {name} is gone"
        for container in found:
            if not container.running:
                yield f"the worker {name} is {container.status}"
            elif container.labels.get(LABEL + "release") != recorded.occupant.release:
                yield f"the worker {name} runs another release than the recorded one"
    for container in seen.others.get(recorded.app_service, ()):
        yield f"{container.name} was started by hand beside the slots"
    known = (*recorded.workers, recorded.app_service, EDGE_SERVICE)
    for name, containers in seen.others.items():
        yield from (f"{name} is {_trouble(one)}" for one in containers if name not in known and _trouble(one))


def _trouble(container: Container) -> str | None:
    if container.labels.get(LABEL + "role") in _OF_ITS_OWN or container.labels.get(_ONE_OFF) == "True":
        return None
    if not container.running:
        return container.status
    return "unhealthy" if container.health == "unhealthy" else None


def _files(recorded: Recorded) -> Iterator[str]:
    if recorded.problem:
        yield recorded.problem
    yield from (f"{name} differs from the release's" for name in recorded.edited)
