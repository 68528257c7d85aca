"""An environment on the first page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fairway.dashboard.nonsense import NONSENSE, cannot_be_read
from fairway.dashboard.observing import Sight
from fairway.dashboard.views.reading import text
from fairway.engine.contract.errors import FairwayError
from fairway.evidence.explain import locked_words
from fairway.observe.attempts import read_time
from fairway.observe.glance import glance

_WORDS = {
    "good": "serves, and agrees with the record",
    "deploying": "a deployment is running",
    "trouble": "wants attention",
    "empty": "nothing deployed yet",
    "unknown": "does not answer",
    "asked": "is being asked",
}


@dataclass(frozen=True)
class FrontDoor:
    """What a host's watcher says of an environment's front door.

    ``month`` is the share of the last 30 days that it was up for, as far as it was
    watched, in words; None when it never was.
    """

    environment: str
    url: str
    state: str
    since: datetime | None
    why: str
    month: str | None


@dataclass(frozen=True)
class EnvironmentCard:
    """What an environment's host said last, ``answered_at``; ``problem`` is why it says nothing now.

    ``state`` is one of ``good``, ``deploying``, ``trouble``, ``empty`` (nothing serves yet),
    ``unknown`` and ``asked`` (no answer yet). ``running`` is the deployment that goes on,
    ``health`` that of the container that serves.
    """

    environment: str
    state: str
    promote_from: str | None
    tag: str | None = None
    release: str | None = None
    since: datetime | None = None
    by: str | None = None
    slot: str | None = None
    deployment: str | None = None
    rollback: str = ""
    locked: str | None = None
    drift: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    running: dict[str, Any] | None = None
    services: dict[str, str] = field(default_factory=dict)
    health: str = ""
    uptime: tuple[FrontDoor, ...] = ()
    answered_at: datetime | None = None
    problem: dict[str, Any] | None = None

    @property
    def words(self) -> str:
        """Say how it stands."""
        return _WORDS[self.state]


def card(sight: Sight, promote_from: str | None) -> EnvironmentCard:
    """Return what is known of an environment."""
    if sight.status is None:
        return _silent(sight, promote_from, sight.error)
    try:
        return _told(sight, sight.status, promote_from)
    except NONSENSE as error:
        return _silent(sight, promote_from, cannot_be_read(error))


def _silent(sight: Sight, promote_from: str | None, error: FairwayError | None) -> EnvironmentCard:
    problem = error.as_json() if error else None
    state = "unknown" if problem else "asked"
    return EnvironmentCard(sight.environment, state, promote_from, answered_at=sight.answered_at, problem=problem)


def _told(sight: Sight, status: Mapping[str, Any], promote_from: str | None) -> EnvironmentCard:
    problem = sight.error.as_json() if sight.error else None
    seen = glance(sight.environment, status)
    serving = status["serving"] or {}
    # The lock and the drift are shown apart.
    locked = locked_words(status["locked"]) if status.get("locked") else None
    shown = {locked, *(f"drift: {line}" for line in status["drift"])}
    return EnvironmentCard(
        environment=sight.environment,
        state=_state(sight, empty=not sight.entries and not serving, trouble=seen.trouble),
        promote_from=promote_from,
        tag=serving.get("tag"),
        release=serving.get("release"),
        since=read_time(str(serving["since"])) if serving.get("since") else None,
        by=serving.get("by"),
        slot=serving.get("slot"),
        deployment=serving.get("deployment"),
        rollback=seen.rollback,
        locked=locked,
        drift=tuple(status["drift"]),
        notes=tuple(line for line in seen.notes if line not in shown),
        running=_running(status["deployment"]) if status["deploying"] else None,
        services=dict(status.get("services") or {}),
        health=_health(status),
        uptime=tuple(map(_front_door, status.get("uptime") or ())),
        answered_at=sight.answered_at,
        problem=problem,
    )


def _running(told: Mapping[str, Any]) -> dict[str, Any]:
    return {**told, **{name: text(told.get(name)) for name in ("id", "purpose", "by", "since")}}


def _health(status: Mapping[str, Any]) -> str:
    active = next((facts for facts in status["slots"].values() if facts["active"]), None)
    if active is None:
        return "nothing serves"
    said = [str(active["container"]), *([str(active["health"])] if active.get("health") else [])]
    said.append(
        "the edge sends it traffic" if str(active["edge"]).upper() in ("UP", "NO CHECK") else str(active["edge"])
    )
    if active.get("restarts"):
        said.append(f"restarted {active['restarts']} times")
    return ", ".join(said)


def _front_door(one: Mapping[str, Any]) -> FrontDoor:
    month = (one.get("availability") or {}).get("month")
    return FrontDoor(
        environment=str(one["environment"]),
        url=str(one["url"]),
        state=str(one["state"]),
        since=read_time(str(one.get("since") or "")),
        why=str(one.get("why") or ""),
        # Rounded down: what was down for a minute is not 100 %.
        month=f"{math.floor(month * 100_000) / 1000:g} %" if month is not None else None,
    )


def _state(sight: Sight, *, empty: bool, trouble: bool) -> str:
    if sight.error is not None:
        return "unknown"
    if (sight.status or {}).get("deploying"):
        return "deploying"
    if empty:
        return "empty"
    return "trouble" if trouble else "good"
