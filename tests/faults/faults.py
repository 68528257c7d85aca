"""The faults: what is done to a deployment, when it is mended, and which requests may fail for it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fairway.engine.contract.names import Slot
from fairway.engine.steps.base import Step
from fairway.engine.steps.migrate import Migrate
from fairway.engine.steps.pull import Pull
from fairway.engine.steps.ready import Ready
from fairway.engine.steps.record import Record
from fairway.engine.steps.start import Start
from fairway.engine.steps.switch import Switch
from fairway.engine.steps.workers import Workers
from testbed.host import CUT_NETWORK, KILL_DOCKER, STOP_DOCKER, Host
from testbed.registry import Registry
from tests.faults.watcher import FILLER

DOCKER_ROOT = "/var/lib/docker"


class Moment(enum.Enum):
    """Where in a step the fault strikes, by the journal's mark for it."""

    BEFORE = "started"
    AFTER = "done"


class Kind(enum.Enum):
    """What host a fault needs."""

    PLAIN = "plain"
    SMALL_DISKS = "small disks"


class Struck(Protocol):
    """What a fault is done to."""

    @property
    def host(self) -> Host: ...

    @property
    def registry(self) -> Registry: ...

    @property
    def deploy_path(self) -> str: ...

    @property
    def old_slot(self) -> Slot: ...

    def container(self, part: str) -> str: ...

    def kill_client(self) -> None: ...


@dataclass(frozen=True)
class Permitted:
    """Which requests may fail: those that end within ``for_s`` of the strike, or of the mending; and why."""

    why: str
    for_s: float = 0.0
    after_mending: bool = False
    #: Only when the new release had been given traffic: before that nothing done to it is seen by anybody.
    once_new_serves: bool = False

    def allows(self, at_s: float, *, struck_s: float, mended_s: float, new_served: bool) -> bool:
        """Say whether a request that failed at ``at_s`` may have."""
        if not self.for_s or (self.once_new_serves and not new_served):
            return False
        begins_s = struck_s - _CLOCK_S
        return begins_s <= at_s <= (mended_s if self.after_mending else struck_s) + self.for_s


# The word of the strike travels from the host to the load generator's clock.
_CLOCK_S = 0.75


@dataclass(frozen=True)
class Fault:
    """One fault. ``action`` is the watcher's, on the host; ``here`` is done on this machine when it tells."""

    name: str
    does: str
    permitted: Permitted
    worst: tuple[type[Step], Moment]
    action: Callable[[Struck], Sequence[str]] = lambda struck: ("tell",)
    here: Callable[[Struck], None] | None = None
    mend: Callable[[Struck], None] | None = None
    #: None: when the command has ended.
    mend_after_s: float | None = None
    kind: Kind = Kind.PLAIN
    #: One of those that ``make test`` runs, in its worst step.
    in_slice: bool = True


def _kill(part: str) -> Callable[[Struck], Sequence[str]]:
    return lambda struck: ("kill-container", struck.container(part))


def _kill_slot(*, old: bool) -> Callable[[Struck], Sequence[str]]:
    def action(struck: Struck) -> Sequence[str]:
        slot = struck.old_slot if old else struck.old_slot.other
        return ("kill-container", struck.container(f"app-{slot.value}"))

    return action


def _free(struck: Struck) -> None:
    struck.host.sh(f"rm -f {DOCKER_ROOT}/{FILLER} {struck.deploy_path}/{FILLER}")


_NOTHING_IN_THE_WAY = Permitted("nothing of it stands between a visitor and the application")

FAULTS: tuple[Fault, ...] = (
    Fault(
        "engine killed",
        "SIGKILL for the detached engine, which holds the lock",
        Permitted("the edge and the containers need no engine"),
        worst=(Switch, Moment.AFTER),
        action=lambda struck: ("kill-engine",),
    ),
    Fault(
        "client killed",
        "SIGKILL for the command that asked for the deployment",
        Permitted("the engine goes on without it"),
        worst=(Migrate, Moment.BEFORE),
        here=lambda struck: struck.kill_client(),
    ),
    Fault(
        "network cut",
        "the host's cable is pulled, and put back 3 s later",
        Permitted("nobody gets through a cable that is pulled; TCP tries again for a while after", 12.0, True),
        worst=(Ready, Moment.BEFORE),
        action=lambda struck: ("sh", CUT_NETWORK),
        mend=lambda struck: struck.host.restore_network(),
        mend_after_s=3.0,
    ),
    Fault(
        "edge killed",
        "SIGKILL for the edge's main process",
        Permitted("the edge is down until Docker has started it again", 6.0),
        worst=(Switch, Moment.BEFORE),
        action=_kill("edge"),
    ),
    Fault(
        "old app killed",
        "SIGKILL for the application's main process in the slot that served when the deployment began",
        Permitted("the only container that serves is down until Docker has started it again", 15.0),
        worst=(Ready, Moment.BEFORE),
        action=_kill_slot(old=True),
    ),
    Fault(
        "new app killed",
        "SIGKILL for the application's main process in the other slot",
        Permitted("once it serves: until it is started again or traffic is back", 15.0, once_new_serves=True),
        worst=(Switch, Moment.BEFORE),
        action=_kill_slot(old=False),
    ),
    Fault(
        "PostgreSQL killed",
        "SIGKILL for PostgreSQL's main process",
        _NOTHING_IN_THE_WAY,
        worst=(Migrate, Moment.BEFORE),
        action=_kill("postgres-1"),
    ),
    Fault(
        "Redis killed",
        "SIGKILL for Redis's main process",
        _NOTHING_IN_THE_WAY,
        worst=(Ready, Moment.BEFORE),
        action=_kill("redis-1"),
        in_slice=False,
    ),
    Fault(
        "Docker killed",
        "SIGKILL for the Docker daemon, which is started again at once",
        Permitted("a daemon that comes up ends the containers of the lost one, and starts them again", 25.0, True),
        worst=(Start, Moment.BEFORE),
        action=lambda struck: ("sh", KILL_DOCKER),
        mend=lambda struck: struck.host.start_docker(),
        mend_after_s=0.0,
    ),
    Fault(
        "Docker restarted",
        "the Docker daemon is stopped in order and started again",
        Permitted("a daemon that is stopped stops its containers", 25.0, True),
        worst=(Workers, Moment.BEFORE),
        action=lambda struck: ("sh", STOP_DOCKER),
        mend=lambda struck: struck.host.start_docker(),
        mend_after_s=0.0,
        in_slice=False,
    ),
    Fault(
        "reboot",
        "the host is shut down in order and starts again",
        Permitted("the host is down", 25.0, True),
        worst=(Migrate, Moment.AFTER),
        here=lambda struck: struck.host.reboot(),
        mend=lambda struck: struck.host.wait_ready(),
        mend_after_s=0.0,
        in_slice=False,
    ),
    Fault(
        "power cut",
        "everything on the host ends at once; it starts again",
        Permitted("the host is down", 25.0, True),
        worst=(Switch, Moment.AFTER),
        here=lambda struck: struck.host.power_cut(),
        mend=lambda struck: struck.host.wait_ready(),
        mend_after_s=0.0,
    ),
    Fault(
        "registry down",
        "the registry is stopped, and started again when the command has ended",
        Permitted("what serves was pulled long ago"),
        worst=(Pull, Moment.BEFORE),
        here=lambda struck: struck.registry.stop(),
        mend=lambda struck: struck.registry.start(),
    ),
    Fault(
        "registry hangs",
        "the registry accepts connections and answers nothing for 3 s",
        Permitted("what serves was pulled long ago"),
        worst=(Pull, Moment.BEFORE),
        here=lambda struck: struck.registry.pause(),
        mend=lambda struck: struck.registry.unpause(),
        mend_after_s=3.0,
        in_slice=False,
    ),
    Fault(
        "Docker's disk full",
        "no byte is free where Docker keeps images, containers and volumes, until the command has ended",
        _NOTHING_IN_THE_WAY,
        worst=(Pull, Moment.BEFORE),
        action=lambda struck: ("fill", DOCKER_ROOT),
        mend=_free,
        kind=Kind.SMALL_DISKS,
    ),
    Fault(
        "deploy path full",
        "no byte is free in the deploy path, until the command has ended",
        _NOTHING_IN_THE_WAY,
        worst=(Record, Moment.BEFORE),
        action=lambda struck: ("fill", struck.deploy_path),
        mend=_free,
        kind=Kind.SMALL_DISKS,
    ),
)
