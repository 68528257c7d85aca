"""One deployment: what was asked for, and everything its steps need."""

from __future__ import annotations

import enum
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Callable

import fairway
from fairway.engine import clock
from fairway.engine.contract.errors import Cancelled, FairwayError, Invalid
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.manifest import Release
from fairway.engine.contract.names import Digest, PinnedImage, Slot, Tag
from fairway.engine.contract.statement import MAX_STATEMENTS, Signed
from fairway.engine.contract.versions import WRITTEN_BY, reading, take_writer
from fairway.engine.drivers import Driver, Launch
from fairway.engine.drivers.compose import ComposeDriver
from fairway.engine.drivers.containers import Containers
from fairway.engine.edge import Edge
from fairway.engine.envfile import read_settings, read_source
from fairway.engine.files import write_atomically
from fairway.engine.hostconfig import HostConfig
from fairway.engine.journal import Journal
from fairway.engine.layout import Layout
from fairway.engine.model import LABEL, Placement
from fairway.engine.redact import Redactor
from fairway.engine.releases import StoredRelease, load_release
from fairway.engine.settings import fingerprint_key
from fairway.engine.state import State

_CANCEL = "cancel.json"
_EVIDENCE = "evidence.json"
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}")


class Action(enum.Enum):
    """What a deployment is for.

    ``RESTART`` starts the release that serves again, with the settings of now;
    ``RECONCILE`` makes what runs agree with what is recorded.
    """

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RESTART = "restart"
    RECONCILE = "reconcile"


def deployment_id(value: str) -> str:
    """Check a deployment's id, which is also a directory's name."""
    if not _ID.fullmatch(value):
        raise Invalid(f"not a deployment id: {value[:60]!r}", why="for example 20260131-120000-000000")
    return value


@dataclass(frozen=True)
class Request:
    """A deployment as it was accepted; written down before anything is done, and never changed."""

    id: str
    action: Action
    tag: Tag
    release: Digest
    slot: Slot
    by: str
    before: State
    #: The slot already ran exactly this release when the deployment was accepted: nothing to start, or to stop again.
    warm: bool = False
    #: Supporting services that may be recreated because their definition changed.
    recreate: tuple[str, ...] = ()
    #: What the client that asked knows it by, before it has heard the id.
    ticket: str = ""
    #: Why it goes on whatever stands in the way of it in the database, in the words of who asked; empty: it does not.
    forced: str = ""

    @property
    def old_slot(self) -> Slot:
        """The slot that new requests leave."""
        return self.slot.other

    def write(self, layout: Layout) -> None:
        """Store the request in the deployment's directory."""
        document = {
            "id": self.id,
            "action": self.action.value,
            "tag": self.tag,
            "release": self.release,
            "slot": self.slot.value,
            "by": self.by,
            "before": self.before.as_json(),
            "warm": self.warm,
            "recreate": list(self.recreate),
            "ticket": self.ticket,
            "forced": self.forced,
            WRITTEN_BY: fairway.__version__,
        }
        write_atomically(layout.deployment(self.id) / "request.json", json.dumps(document, indent=2).encode())


def read_request(layout: Layout, identity: str) -> Request:
    """Read an accepted deployment. Raises ``Invalid`` when there is none of this id."""
    path = layout.deployment(deployment_id(identity)) / "request.json"
    try:
        document = parse_json(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise Invalid(f"there is no deployment {identity} on this host") from None
    with reading(str(path), take_writer(document)):
        return _parse_request(Fields(document, str(path)))


def _parse_request(fields: Fields) -> Request:
    request = Request(
        id=fields.parsed("id", deployment_id),
        action=fields.parsed("action", Action),
        tag=fields.parsed("tag", Tag),
        release=fields.parsed("release", Digest),
        slot=fields.parsed("slot", Slot),
        by=fields.text("by"),
        before=State.parse(fields.object("before")),
        warm=fields.boolean("warm"),
        recreate=fields.texts("recreate"),
        ticket=fields.text("ticket"),
        # One that an engine from before it accepted has none.
        forced=fields.text("forced") if fields.has("forced") else "",
    )
    fields.end()
    return request


def write_evidence(layout: Layout, identity: str, evidence: tuple[Signed, ...]) -> None:
    """Keep what was handed over with a deployment's request."""
    document = {"statements": [signed.as_json() for signed in evidence]}
    write_atomically(layout.deployment(deployment_id(identity)) / _EVIDENCE, json.dumps(document).encode())


def read_evidence(layout: Layout, identity: str) -> tuple[Signed, ...]:
    """Return what was handed over with a deployment; nothing when nothing was."""
    path = layout.deployment(deployment_id(identity)) / _EVIDENCE
    try:
        return take_evidence(Fields(parse_json(path.read_bytes(), str(path)), str(path)), "statements")
    except FileNotFoundError:
        return ()


def take_evidence(fields: Fields, key: str) -> tuple[Signed, ...]:
    """Take signed statements out of a document, unjudged. Raises ``Invalid``, also for too many of them."""
    return tuple(Signed.parse(item) for item in fields.objects(key, max_items=MAX_STATEMENTS))


def ask_cancel(layout: Layout, identity: str, *, by: str) -> None:
    """Ask the engine that carries a deployment out to revert it; it looks for this several times a second."""
    document = {"by": by, "at": clock.now()}
    write_atomically(layout.deployment(deployment_id(identity)) / _CANCEL, json.dumps(document).encode())


class Deployment:
    """A request with the host it is carried out on; what the steps are given."""

    def __init__(
        self,
        layout: Layout,
        host: HostConfig,
        request: Request,
        *,
        stored: StoredRelease | None = None,
        evidence: tuple[Signed, ...] | None = None,
    ) -> None:
        self.layout = layout
        self.host = host
        self.request = request
        self.journal = Journal(layout.deployment(request.id) / "journal.jsonl")
        self.edge = Edge(layout.edge, layout.edge_run)
        #: Carried out by the engine that accepted it, with somebody waiting; False for one that is recovered.
        self.attended = True
        #: The database was held against the release, and nothing stands in the way or it was forced.
        self.schema_checked = False
        if stored is not None:
            self.stored = stored
        if evidence is not None:
            self.evidence = evidence

    def refuse_cancelled(self) -> None:
        """Raise ``Cancelled`` when somebody has asked for it; call it wherever stopping leaves nothing half done."""
        path = self.layout.deployment(self.request.id) / _CANCEL
        if not path.exists():
            return
        try:
            by = Fields(parse_json(path.read_bytes(), str(path)), str(path)).text("by")
        except FairwayError:
            by = "somebody"
        raise Cancelled(
            f"the {self.request.action.value} of {self.request.tag.short} was cancelled",
            why=f"asked for by {by}",
            hint="it was reverted; what served before serves",
        )

    def told(self, step: str) -> Callable[[str], None]:
        """Return what tells whoever watches about this step."""
        return lambda line: self.journal.progress(step, self.redact(line))

    @cached_property
    def stored(self) -> StoredRelease:
        """The release, checked against its digests when first asked for."""
        return load_release(self.layout, self.request.tag)

    @cached_property
    def evidence(self) -> tuple[Signed, ...]:
        """What was handed over with the release, as it was; nothing about it is believed yet."""
        return read_evidence(self.layout, self.request.id)

    @property
    def release(self) -> Release:
        """The release's manifest."""
        return self.stored.release

    @cached_property
    def settings(self) -> dict[str, str]:
        """What Compose interpolates: the host's environment file and the release's images, nothing else."""
        own = read_settings(self.layout, self.release.env)
        return {**own, **self.image_settings, "APP_HOST_PORT": self.host.port}

    @property
    def image_settings(self) -> dict[str, str]:
        """The short-lived image references, which also stand in ``deploy.env``."""
        return {"APP_IMAGE": self.release.app.reference, "MIGRATOR_IMAGE": self.release.migrator.reference}

    @property
    def deploy_env(self) -> bytes:
        """What ``deploy.env`` holds while this release serves."""
        lines = [f"{key}={value}" for key, value in self.image_settings.items()]
        return "\n".join([f"# Written by Fairway: {self.request.tag}", *lines, ""]).encode()

    @cached_property
    def launch(self) -> Launch:
        """The release with this host's settings, as the driver starts it."""
        labels = {
            "project": self.host.project,
            "environment": self.host.environment,
            "release": self.stored.name,
            "tag": self.request.tag,
            "settings": self.settings_fingerprint,
        }
        environment = {"FAIRWAY_RELEASE": str(self.request.tag), "FAIRWAY_ENVIRONMENT": self.host.environment}
        marks = {LABEL + key: value for key, value in labels.items()}
        # By these names every SDK of an error tracker knows what it reports for; the operator's own values count.
        tracked = {"SENTRY_RELEASE": str(self.request.tag), "SENTRY_ENVIRONMENT": self.host.environment}
        placement = Placement(marks, environment, defaults=tracked)
        source = read_source(self.layout, self.release.env.file)
        return Launch(self.stored, self.settings, placement, source.text if source.sealed else None)

    @cached_property
    def redact(self) -> Redactor:
        """Takes this host's secrets out of a text."""
        containers = Containers(self.layout, Redactor({}))
        try:
            present = containers.of_project(self.host.project)
        except FairwayError:
            present = []  # whatever asks Docker next says so
        # A container that was started before the file was changed still tells the earlier secrets.
        return Redactor(self.settings, *(container.environment for container in present))

    @cached_property
    def driver(self) -> Driver:
        """What runs the containers on this host."""
        return ComposeDriver(self.layout, self.host, self.edge, self.redact)

    @property
    def migrates(self) -> bool:
        """Only a deployment of a release brings its migrations along."""
        return self.request.action is Action.DEPLOY

    @cached_property
    def missing_images(self) -> list[PinnedImage]:
        """The images this deployment needs that were not on the host when it began."""
        wanted = [self.release.app]
        if self.migrates:
            wanted.append(self.release.migrator)
        return [image for image in wanted if not self.driver.has_image(image)]

    def runs_in_slot(self) -> bool:
        """Say whether the slot runs exactly this release, with the settings of now."""
        container = self.driver.slots().get(self.request.slot)
        return (
            container is not None
            and container.running
            and container.image == self.release.app.reference
            and container.labels.get(LABEL + "release") == self.stored.name
            and container.labels.get(LABEL + "settings") == self.settings_fingerprint
        )

    @cached_property
    def settings_fingerprint(self) -> str:
        """Tell settings apart without giving a guess at a value anything to check against."""
        text = json.dumps(self.settings, sort_keys=True).encode()
        return hmac.new(fingerprint_key(self.layout), text, hashlib.sha256).hexdigest()[:32]
