"""How a slot is started, found, stopped: the part that knows what the host runs containers with."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable

from fairway.engine.contract.names import PinnedImage, Slot
from fairway.engine.model import Placement
from fairway.engine.releases import StoredRelease

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
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Say whether it runs and is not in the middle of a crash loop."""
        return self.status == "running"


@dataclass(frozen=True)
class Launch:
    """A release about to be run on this host: with which settings, and marked how."""

    stored: StoredRelease
    settings: Mapping[str, str]
    placement: Placement


class Driver(abc.ABC):
    """What a deployment needs of the system that runs the containers.

    Every method may be called again after a crash and then finds what the first
    call left.
    """

    @abc.abstractmethod
    def check(self, launch: Launch) -> None:
        """Refuse a release this host cannot run, before anything is touched."""

    @abc.abstractmethod
    def has_image(self, image: PinnedImage) -> bool:
        """Say whether the image is on the host, by digest."""

    @abc.abstractmethod
    def pull(self, image: PinnedImage, report: Report) -> None:
        """Bring the image to the host by digest."""

    @abc.abstractmethod
    def free_bytes(self) -> int:
        """Return the free space where images are kept."""

    @abc.abstractmethod
    def start_services(self, launch: Launch, report: Report) -> str:
        """Have the supporting services up and healthy, and the edge; return what was done."""

    @abc.abstractmethod
    def migrate(self, launch: Launch, deployment_id: str, report: Report) -> str:
        """Run the migrator once to its end. Raises ``Failed`` with the database's error."""

    @abc.abstractmethod
    def remove_migrator(self, deployment_id: str) -> None:
        """Remove what is left of a migrator."""

    @abc.abstractmethod
    def start_slot(self, launch: Launch, slot: Slot) -> None:
        """Start the application in a slot, to be looked at: the host does not start it again by itself."""

    @abc.abstractmethod
    def keep_slot(self, launch: Launch, slot: Slot) -> None:
        """Have the host start the slot again whenever the operator's file says so: it is about to serve."""

    @abc.abstractmethod
    def stop_slot(self, slot: Slot) -> None:
        """Stop and remove what is in a slot."""

    @abc.abstractmethod
    def slots(self) -> dict[Slot, Container]:
        """Return what is in the slots now."""

    @abc.abstractmethod
    def move_workers(self, launch: Launch) -> str:
        """Have the workers run this release."""

    @abc.abstractmethod
    def log_tail(self, slot: Slot, lines: int) -> str:
        """Return the last lines a slot's container has said."""
