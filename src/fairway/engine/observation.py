"""Look at a host once: the edge, Docker, the files and the record, as one value to decide on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.names import Digest, Slot
from fairway.engine.deployment import Action, Deployment, Request, read_request
from fairway.engine.drivers import Container
from fairway.engine.drivers.compose import ComposeDriver
from fairway.engine.edge import Edge, ServerStats
from fairway.engine.hostconfig import HostConfig
from fairway.engine.journal import Mark, has_ended, latest_deployment, read_journal, steps_marked
from fairway.engine.layout import Layout
from fairway.engine.lock import deploying
from fairway.engine.redact import Redactor
from fairway.engine.state import Occupant, State, read_state


@dataclass(frozen=True)
class Recorded:
    """What the recorded release should look like on this host.

    ``settings`` is the fingerprint of the settings as they are now, None when the
    file cannot be read; ``edited`` are the release's files that differ from it.
    """

    occupant: Occupant
    app_service: str
    workers: tuple[str, ...]
    env_file: str
    settings: str | None
    problem: str
    edited: tuple[str, ...]
    image_here: bool


@dataclass(frozen=True)
class Observation:
    """Everything that was seen. ``others`` are the project's containers outside the slots, by Compose service."""

    state: State
    recorded: Recorded | None
    edge: Mapping[Slot, ServerStats] | None
    slots: Mapping[Slot, Container]
    others: Mapping[str, tuple[Container, ...]] = field(default_factory=dict)
    #: What an engine that was lost has left unfinished, in words.
    interrupted: str | None = None

    @property
    def serving(self) -> tuple[Slot, ...]:
        """The slots that get new requests: one, two in a canary, none when the edge does not answer."""
        return tuple(slot for slot, stats in (self.edge or {}).items() if stats.serving)

    @property
    def active(self) -> Slot | None:
        """The slot that serves; in a canary, with two of them, the recorded one."""
        if len(self.serving) == 1:
            return self.serving[0]
        recorded = self.state.active
        return recorded.slot if recorded is not None and recorded.slot in self.serving else None


def observe(layout: Layout, host: HostConfig) -> Observation:
    """Ask the edge, Docker and the disk. Raises ``Unreachable`` when Docker does not answer."""
    edge = Edge(layout.edge, layout.edge_run)
    driver = ComposeDriver(layout, host, edge, Redactor({}))
    state = read_state(layout.state)
    try:
        stats = edge.stats()
    except Failed:
        stats = None
    return Observation(
        state=state,
        recorded=_recorded(layout, host, state) if state.active else None,
        edge=stats,
        slots=driver.slots(),
        others=driver.other_containers(),
        interrupted=_interrupted(layout),
    )


def _interrupted(layout: Layout) -> str | None:
    identity = latest_deployment(layout)
    if identity is None or deploying(layout.lock) is not None:
        return None
    entries = read_journal(layout.deployment(identity) / "journal.jsonl")
    if has_ended(entries):
        return None
    request = read_request(layout, identity)
    reached = steps_marked(entries, Mark.STARTED)
    return f"{request.action.value} of {request.tag.short}, in {reached[-1] if reached else 'the beginning'}"


def deployment_of(layout: Layout, host: HostConfig, occupant: Occupant, state: State) -> Deployment:
    """Return a recorded release as a deployment that nobody asked for, to look at what it would be."""
    request = Request(
        id=occupant.deployment,
        action=Action.RECONCILE,
        tag=occupant.tag,
        release=occupant.release,
        slot=occupant.slot,
        by=occupant.by,
        before=state,
    )
    return Deployment(layout, host, request)


def _recorded(layout: Layout, host: HostConfig, state: State) -> Recorded | None:
    occupant = state.active
    assert occupant is not None
    deployment = deployment_of(layout, host, occupant, state)
    release = deployment.release
    settings, problem = None, ""
    try:
        settings = deployment.settings_fingerprint
        image_here = deployment.driver.has_image(release.app)
    except FairwayError as error:
        problem = error.what
        image_here = ComposeDriver(layout, host, deployment.edge, Redactor({})).has_image(release.app)
    return Recorded(
        occupant=occupant,
        app_service=release.compose.app_service,
        workers=release.compose.workers,
        env_file=release.env.file,
        settings=settings,
        problem=problem,
        edited=_edited(deployment),
        image_here=image_here,
    )


def _edited(deployment: Deployment) -> tuple[str, ...]:
    """Return the files of the running release that somebody changed where the operator looks for them."""
    layout = deployment.layout
    wanted = {layout.deploy_path / name: Digest.of(body) for name, body in deployment.stored.files.items()}
    wanted[layout.deploy_env] = Digest.of(deployment.deploy_env)
    edited = []
    for path, digest in wanted.items():
        try:
            same = Digest.of(path.read_bytes()) == digest
        except OSError:
            same = False
        if not same:
            edited.append(str(path.relative_to(layout.deploy_path)))
    return tuple(edited)
