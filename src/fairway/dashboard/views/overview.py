"""An environment on the first page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fairway.dashboard.observing import Sight
from fairway.observe.attempts import read_time
from fairway.observe.glance import glance


@dataclass(frozen=True)
class EnvironmentCard:
    """What an environment's host said last, ``answered_at``; ``problem`` is why it says nothing now.

    ``state`` is one of ``good``, ``deploying``, ``trouble``, ``empty`` (nothing serves yet)
    and ``unknown``. ``running`` is the deployment that goes on.
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
    uptime: tuple[dict[str, Any], ...] = ()
    answered_at: datetime | None = None
    problem: dict[str, Any] | None = None


def card(sight: Sight, promote_from: str | None) -> EnvironmentCard:
    """Return what is known of an environment."""
    problem = sight.error.as_json() if sight.error else None
    if sight.status is None:
        return EnvironmentCard(sight.environment, "unknown", promote_from, problem=problem)
    status = sight.status
    seen = glance(sight.environment, status)
    serving = status["serving"] or {}
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
        locked=str((status.get("locked") or {}).get("reason") or "") if status.get("locked") else None,
        drift=tuple(status["drift"]),
        notes=tuple(line for line in seen.notes if not line.startswith("drift: ")),
        running=status["deployment"] if status["deploying"] else None,
        services=dict(status.get("services") or {}),
        uptime=tuple(status.get("uptime") or ()),
        answered_at=sight.answered_at,
        problem=problem,
    )


def _state(sight: Sight, *, empty: bool, trouble: bool) -> str:
    if sight.error is not None:
        return "unknown"
    if (sight.status or {}).get("deploying"):
        return "deploying"
    if empty:
        return "empty"
    return "trouble" if trouble else "good"
