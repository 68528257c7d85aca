"""How the front doors are that a host watches: what ``status``, ``uptime`` and the metrics say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

from fairway.engine import clock
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.watcher.changes import Change, Changes, Line
from fairway.engine.watcher.deciding import State
from fairway.engine.watcher.doors import Door
from fairway.engine.watcher.memory import Known, recall
from fairway.engine.watcher.minutes import Minutes

_OUTAGES = 20


@dataclass(frozen=True)
class Told:
    """What a host says of a door. ``fresh`` is whether it has looked lately enough to know."""

    door: Door
    known: Known
    fresh: bool
    availability: dict[str, float | None]

    @property
    def state(self) -> State:
        """How it is; what nobody has looked at lately is not known."""
        return self.known.standing.state if self.fresh else State.UNKNOWN

    def as_json(self, missing: str | None) -> dict[str, Any]:
        """Return it as it crosses the protocol; ``missing`` is what the timer lacks."""
        standing = self.known.standing
        return {
            "environment": self.door.environment,
            "url": self.door.url,
            "state": self.state.value,
            "since": standing.since if self.state is not State.UNKNOWN else None,
            "asked_at": self.known.asked_at,
            "availability": self.availability,
            "why": self._why(missing),
        }

    def _why(self, missing: str | None) -> str:
        if not self.fresh:
            looked = (
                f"nobody has looked since {self.known.asked_at}" if self.known.asked_at else "nobody has looked yet"
            )
            return f"{looked}: {missing}" if missing else looked
        if self.state is State.UNKNOWN:
            return f"it has not answered yet: {self.known.standing.why}"
        return self.known.standing.why if self.state is State.DOWN else ""


def tell(layout: Layout, host: HostConfig) -> list[Told]:
    """Return how every door is that this host watches."""
    memory, now = recall(layout.watch_memory), clock.parse(clock.now())
    return [
        Told(
            door,
            memory.door(door),
            _fresh(door, memory.door(door).asked_at),
            Minutes(layout.minutes(door.environment)).availability(now),
        )
        for door in host.watch
    ]


def describe_uptime(layout: Layout, host: HostConfig, missing: Callable[[], str | None]) -> list[dict[str, Any]] | None:
    """Return the doors as a document, None where nothing is watched.

    ``missing`` finds out what the timer lacks, and is asked only when it does not seem to run.
    """
    if not host.watch:
        return None
    told = tell(layout, host)
    lacking = None if all(one.fresh for one in told) else missing()
    return [one.as_json(lacking) for one in told]


def outages(layout: Layout, environment: str, url: str) -> list[dict[str, Any]]:
    """Return a door's last outages, the newest first; one that goes on has neither an end nor a length."""
    found: list[dict[str, Any]] = []
    up: Line | None = None
    for line in Changes(layout.changes).newest_first():
        if (line.environment, line.subject) != (environment, url):
            continue
        if line.kind is Change.UP:
            up = line
        elif line.kind is Change.DOWN:
            found.append(
                {
                    "began": line.at,
                    "ended": up.at if up else None,
                    "seconds": up.seconds if up else None,
                    "why": line.why,
                }
            )
            up = None
            if len(found) == _OUTAGES:
                break
    return found


def _fresh(door: Door, asked_at: str | None) -> bool:
    if asked_at is None:
        return False
    try:
        age = (clock.parse(clock.now()) - clock.parse(asked_at)).total_seconds()
    except ValueError:
        return False
    return age < door.stale_s
