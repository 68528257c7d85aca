"""How a slot is started, found, stopped: the part that knows what the host runs containers with."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from fairway.engine.contract.names import PinnedImage, Slot
from fairway.engine.model import Placement
from fairway.engine.process import Check
from fairway.engine.releases import StoredRelease

if TYPE_CHECKING:
    from fairway.engine.backups.store import Backup
    from fairway.engine.contract.trust import Policy
    from fairway.engine.database import Database
    from fairway.engine.rehearsal.report import Rehearsed
    from fairway.engine.schema.tables import Table

Report = Callable[[str], None]


@dataclass(frozen=True)
class Container:
    """One container as the host has it now."""

    name: str
    status: str
    exit_code: int
    oom_killed: bool
    health: str | None
    image: str
    started_at: str
    error: str
    addresses: tuple[str, ...]
    pid: int = 0
    stop_grace_s: float = 10.0
    restarts: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Directories of the host that it may write to.
    writes: tuple[str, ...] = ()
    #: What it was started with, which may be an earlier value of a setting. Only for the redactor; never shown.
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def running(self) -> bool:
        """Say whether it runs and is not in the middle of a crash loop."""
        return self.status == "running"


@dataclass(frozen=True)
class Launch:
    """A release about to be run on this host: with which settings, and marked how.

    ``env_text`` is the text of the environment file where it is on no disk, being encrypted there.
    """

    stored: StoredRelease
    settings: Mapping[str, str]
    placement: Placement
    env_text: str | None = None


@dataclass(frozen=True)
class Migrated:
    """What a migrator did: its last word, and the migrations on record before and after.

    The two are None when the database is not in this project and cannot be asked.
    """

    said: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None


@dataclass(frozen=True)
class Services:
    """What a deployment finds of the services it needs and does not change.

    ``down`` are not up and healthy; ``changed`` run with another definition than
    the release's compose file has now.
    """

    up: tuple[str, ...]
    down: tuple[str, ...]
    changed: tuple[str, ...]
    edge_down: bool


class Driver(abc.ABC):
    """What a deployment needs of the system that runs the containers.

    Every method may be called again after a crash and then finds what the first
    call left. ``check`` is called several times a second while a method waits;
    what it raises ends the waiting.
    """

    @abc.abstractmethod
    def check(self, launch: Launch) -> None:
        """Refuse a release this host cannot run, before anything is touched."""

    @abc.abstractmethod
    def judge(self, launch: Launch, policy: Policy) -> None:
        """Refuse a release that asks for more of this host than the policy allows, before anything else is done."""

    @abc.abstractmethod
    def has_image(self, image: PinnedImage) -> bool:
        """Say whether the image is on the host, by digest."""

    @abc.abstractmethod
    def missing_services(self, launch: Launch) -> list[str]:
        """Return the images of the supporting services and the edge that are not on the host, by their names."""

    @abc.abstractmethod
    def pull(self, image: PinnedImage, report: Report, check: Check) -> None:
        """Bring the image to the host by digest."""

    @abc.abstractmethod
    def free_bytes(self) -> int:
        """Return the free space where images are kept."""

    @abc.abstractmethod
    def services(self, launch: Launch) -> Services:
        """Look at the supporting services and the edge."""

    @abc.abstractmethod
    def start_services(
        self, launch: Launch, found: Services, recreate: Sequence[str], report: Report, check: Check
    ) -> None:
        """Have up and healthy what was found down, the edge too; recreate only the services named."""

    @abc.abstractmethod
    def back_up(self, launch: Launch, deployment_id: str, report: Report, check: Check) -> Backup | str:
        """Back the database up under the deployment's id; return why not when there is none, or nothing in it."""

    @abc.abstractmethod
    def end_backup(self, launch: Launch, deployment_id: str) -> bool:
        """Have nothing at work or left of a backup that was not completed; return whether there was."""

    @abc.abstractmethod
    def rehearse(
        self, launch: Launch, before: Launch | None, deployment_id: str, report: Report, check: Check
    ) -> Rehearsed | str:
        """Try the release's migrations on a copy of the database, and the release before on what they leave.

        Returns why not where there is nothing to try them on. Raises ``Failed`` when they fail.
        """

    @abc.abstractmethod
    def end_rehearsal(self, launch: Launch, deployment_id: str) -> bool:
        """Have nothing at work or left of a rehearsal; return whether there was."""

    @abc.abstractmethod
    def migrate(self, launch: Launch, deployment_id: str, report: Report, check: Check) -> Migrated:
        """Run the migrator once to its end. Raises ``Failed`` with the database's error."""

    @abc.abstractmethod
    def end_migrator(self, launch: Launch, deployment_id: str, report: Report, *, patience_s: float) -> Migrated:
        """Have no migrator of this deployment at work any more, in a container or in the database.

        One that still runs may come to its end for ``patience_s``.
        """

    @abc.abstractmethod
    def applied(self, launch: Launch) -> tuple[str, ...] | None:
        """Return the migrations on record in the database, None when it cannot be asked."""

    @abc.abstractmethod
    def migrations(self, launch: Launch) -> tuple[Table, ...] | None:
        """Return the tables in which migration tools keep their record, None when no database of the project runs.

        Raises ``Failed`` when it does not answer.
        """

    @abc.abstractmethod
    def migrator_status(self, launch: Launch) -> str:
        """Run the release's status command in its migrator's image; return what it prints.

        Raises ``Failed`` when it fails.
        """

    @abc.abstractmethod
    def database(self, launch: Launch) -> Database | None:
        """Return the application's PostgreSQL, None when it does not run in a container of this project."""

    @abc.abstractmethod
    def start_slot(self, launch: Launch, slot: Slot) -> None:
        """Start the application in a slot, to be looked at: the host does not start it again by itself."""

    @abc.abstractmethod
    def keep_slot(self, launch: Launch, slot: Slot) -> None:
        """Have the host start the slot again whenever the operator's file says so: it is about to serve."""

    @abc.abstractmethod
    def stop_slot(self, slot: Slot) -> None:
        """Ask what is in a slot to end, give it the time its definition grants, and remove it."""

    @abc.abstractmethod
    def slots(self) -> dict[Slot, Container]:
        """Return what is in the slots now."""

    @abc.abstractmethod
    def move_workers(self, launch: Launch, check: Check) -> str:
        """Have the workers run this release; raises ``Failed`` when one does not stay up."""

    @abc.abstractmethod
    def containers(self, role: str) -> list[Container]:
        """Return what Fairway has started in a role: ``app``, ``edge``, ``migrator`` or ``worker``."""

    @abc.abstractmethod
    def resume(self, container: Container) -> None:
        """Start a container that is stopped, as it is."""

    @abc.abstractmethod
    def log_tail(self, slot: Slot, lines: int) -> str:
        """Return the last lines a slot's container has said."""
