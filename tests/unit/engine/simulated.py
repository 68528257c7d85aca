"""A host in memory: what the real steps do to it, and the moment at which the engine is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from fairway.engine.backups.store import Backup
from fairway.engine.contract.errors import Failed, FairwayError, Refused
from fairway.engine.contract.names import PinnedImage, Slot
from fairway.engine.contract.trust import Policy
from fairway.engine.database import Database
from fairway.engine.drivers import Container, Driver, Launch, Migrated, Report, Services
from fairway.engine.edge import Answer, Edge, ServerStats
from fairway.engine.layout import Layout
from fairway.engine.model import LABEL
from fairway.engine.process import Check
from fairway.engine.rehearsal.report import Rehearsed
from fairway.engine.schema.tables import Table


class Lost(BaseException):
    """The engine is gone: nothing after this line runs."""


@dataclass
class Moment:
    """Counts what happens to the host and ends the engine at one of them."""

    at: int | None = None
    count: int = 0

    def pass_by(self) -> None:
        if self.count == self.at:
            raise Lost
        self.count += 1


@dataclass
class World:
    """What is on the host, whatever becomes of the engine."""

    containers: dict[Slot, Container] = field(default_factory=dict)
    workers: str = ""
    #: What the edge's runtime says, and what its file says; both are written one after the other.
    serving: set[Slot] = field(default_factory=set)
    configured: Slot | None = None
    migrations_run: int = 0
    backups: set[str] = field(default_factory=set)
    part_of_dump: bool = False
    part_of_rehearsal: bool = False
    #: What a rehearsal shows.
    rehearsed: Rehearsed | FairwayError | str = "there is nothing to rehearse on"
    images: set[str] = field(default_factory=set)
    moment: Moment = field(default_factory=Moment)
    #: Releases whose bundle was judged, and those that the policy does not allow.
    judged: list[str] = field(default_factory=list)
    unallowed: set[str] = field(default_factory=set)
    #: What is on record in the database, and what a migrator's status command says.
    tables: tuple[Table, ...] | None = ()
    told: str = ""
    ready: Callable[[Slot], bool] = lambda slot: True


class SimulatedEdge(Edge):
    """The edge of a world."""

    def __init__(self, layout: Layout, world: World) -> None:
        super().__init__(layout.edge, layout.edge_run)
        self._world = world

    def answers(self) -> bool:
        return True

    def stats(self) -> dict[Slot, ServerStats]:
        return {slot: ServerStats("UP" if slot in self._world.serving else "MAINT", 0) for slot in Slot}

    def configured(self) -> Slot | None:
        return self._world.configured

    def write_config(self, app_port: int, active: Slot | None) -> bool:
        self._world.moment.pass_by()
        self._world.configured = active
        return True

    def point(self, slot: Slot, address: str, port: int) -> None:
        self._world.moment.pass_by()

    def share(self, slot: Slot, percent: int) -> None:
        self._world.moment.pass_by()
        self._world.serving.add(slot)

    def clear_figures(self) -> None:
        self._world.moment.pass_by()

    def switch(self, app_port: int, to: Slot) -> None:
        self.write_config(app_port, to)
        self._world.moment.pass_by()
        self._world.serving.add(to)
        self._world.moment.pass_by()
        self._world.serving.discard(to.other)

    def rest(self, slot: Slot) -> None:
        self._world.moment.pass_by()
        self._world.serving.discard(slot)

    def close_sessions(self, slot: Slot) -> None:
        self._world.moment.pass_by()

    def probe(self, slot: Slot, path: str, *, timeout_s: float = 6.0) -> Answer:
        fit = slot in self._world.containers and self._world.ready(slot)
        return Answer(200 if fit else 503, "")


class SimulatedDriver(Driver):
    """The containers of a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def check(self, launch: Launch) -> None:
        self._world.moment.pass_by()

    def judge(self, launch: Launch, policy: Policy) -> None:
        self._world.judged.append(launch.stored.release.tag)
        if launch.stored.release.tag in self._world.unallowed:
            raise Refused("the compose file asks for more of this host than its policy allows")

    def has_image(self, image: PinnedImage) -> bool:
        return image.reference in self._world.images

    def missing_services(self, launch: Launch) -> list[str]:
        return []

    def containers(self, role: str) -> list[Container]:
        return list(self._world.containers.values()) if role == "app" else []

    def resume(self, container: Container) -> None:
        self._world.moment.pass_by()

    def pull(self, image: PinnedImage, report: Report, check: Check) -> None:
        self._world.moment.pass_by()
        self._world.images.add(image.reference)

    def free_bytes(self) -> int:
        return 10**12

    def services(self, launch: Launch) -> Services:
        return Services(("postgres",), (), (), edge_down=False)

    def start_services(
        self, launch: Launch, found: Services, recreate: Sequence[str], report: Report, check: Check
    ) -> None:
        self._world.moment.pass_by()

    def migrations(self, launch: Launch) -> tuple[Table, ...] | None:
        return self._world.tables

    def migrator_status(self, launch: Launch) -> str:
        return self._world.told

    def back_up(self, launch: Launch, deployment_id: str, report: Report, check: Check) -> Backup | str:
        self._world.moment.pass_by()
        self._world.part_of_dump = True
        self._world.moment.pass_by()
        self._world.part_of_dump = False
        self._world.backups.add(deployment_id)
        self._world.moment.pass_by()
        return "there is nothing to back up"

    def end_backup(self, launch: Launch, deployment_id: str) -> bool:
        self._world.moment.pass_by()
        left, self._world.part_of_dump = self._world.part_of_dump, False
        return left

    def rehearse(
        self, launch: Launch, before: Launch | None, deployment_id: str, report: Report, check: Check
    ) -> Rehearsed | str:
        self._world.moment.pass_by()
        self._world.part_of_rehearsal = True
        self._world.moment.pass_by()
        self._world.part_of_rehearsal = False
        self._world.moment.pass_by()
        if isinstance(self._world.rehearsed, FairwayError):
            raise self._world.rehearsed
        return self._world.rehearsed

    def end_rehearsal(self, launch: Launch, deployment_id: str) -> bool:
        self._world.moment.pass_by()
        left, self._world.part_of_rehearsal = self._world.part_of_rehearsal, False
        return left

    def migrate(self, launch: Launch, deployment_id: str, report: Report, check: Check) -> Migrated:
        if not self.has_image(launch.stored.release.migrator):
            raise Failed("no such image")
        self._world.moment.pass_by()
        self._world.migrations_run += 1
        self._world.moment.pass_by()
        return Migrated("up to date", (), ("0001",))

    def end_migrator(self, launch: Launch, deployment_id: str, report: Report, *, patience_s: float) -> Migrated:
        self._world.moment.pass_by()
        return Migrated("", None, ("0001",))

    def applied(self, launch: Launch) -> tuple[str, ...] | None:
        return ("0001",)

    def database(self, launch: Launch) -> Database | None:
        return None

    def start_slot(self, launch: Launch, slot: Slot) -> None:
        self._world.moment.pass_by()
        self._world.containers[slot] = container(slot, launch)
        self._world.moment.pass_by()

    def keep_slot(self, launch: Launch, slot: Slot) -> None:
        self._world.moment.pass_by()
        if slot not in self._world.containers:
            raise Failed("no such container")

    def stop_slot(self, slot: Slot) -> None:
        self._world.moment.pass_by()
        self._world.containers.pop(slot, None)
        self._world.moment.pass_by()

    def slots(self) -> dict[Slot, Container]:
        return dict(self._world.containers)

    def move_workers(self, launch: Launch, check: Check) -> str:
        self._world.moment.pass_by()
        self._world.workers = str(launch.stored.release.tag)
        self._world.moment.pass_by()
        return "worker"

    def log_tail(self, slot: Slot, lines: int) -> str:
        return ""


def container(slot: Slot, launch: Launch) -> Container:
    """Return a container of a release, as Docker would show it."""
    return Container(
        name=f"capakraken-app-{slot.value}",
        status="running",
        exit_code=0,
        oom_killed=False,
        health=None,
        image=launch.stored.release.app.reference,
        started_at="2026-01-31T12:00:00Z",
        error="",
        addresses=("172.18.0.4",),
        labels={LABEL + "release": launch.stored.name, LABEL + "settings": launch.placement.labels[LABEL + "settings"]},
    )


def dead(one: Container) -> Container:
    """Return the container as it is after it ended."""
    return replace(one, status="exited", exit_code=1)
