"""An environment on a page of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fairway.dashboard.nonsense import NONSENSE, cannot_be_read
from fairway.dashboard.observing import Sight
from fairway.dashboard.views.history import HistoryLine, newest
from fairway.dashboard.views.overview import EnvironmentCard, card
from fairway.dashboard.views.plan import BackTo
from fairway.dashboard.views.reading import number
from fairway.observe.attempts import read_time
from fairway.observe.glance import leftovers

_LAST = 12


@dataclass(frozen=True)
class SlotRow:
    """One of the two slots: its container, and what the edge says of it."""

    name: str
    serves: bool
    tag: str | None
    container: str
    health: str | None
    edge: str
    weight: int | None
    connections: int | None
    restarts: int | None


@dataclass(frozen=True)
class EnvironmentPage:
    """What an environment's host says of itself; ``card`` is what the first page shows of it."""

    card: EnvironmentCard
    slots: tuple[SlotRow, ...] = ()
    migrations: tuple[str, ...] = ()
    rollbacks: tuple[BackTo, ...] = ()
    leftovers: str | None = None
    edge: str | None = None
    last: tuple[HistoryLine, ...] = ()


def environment(sight: Sight, promote_from: str | None) -> EnvironmentPage:
    """Return what is known of an environment."""
    shown = EnvironmentPage(card=card(sight, promote_from), last=newest(sight, _LAST))
    try:
        return _told(shown, sight.status or {})
    except NONSENSE as error:
        return replace(shown, card=replace(shown.card, state="unknown", problem=cannot_be_read(error).as_json()))


def _told(shown: EnvironmentPage, status: Mapping[str, Any]) -> EnvironmentPage:
    edge = status.get("edge") or {}
    return replace(
        shown,
        slots=tuple(_slot(name, facts) for name, facts in (status.get("slots") or {}).items()),
        migrations=tuple(str(one) for one in ((status.get("schema") or {}).get("applied") or ())),
        rollbacks=tuple(_back(one) for one in status.get("rollbacks") or ()),
        leftovers=leftovers(status) if status.get("leftovers") else None,
        edge=str(edge["image"]) if edge.get("image") else None,
    )


def _slot(name: str, facts: Mapping[str, Any]) -> SlotRow:
    return SlotRow(
        name=name,
        serves=bool(facts["active"]),
        tag=facts["tag"],
        container=str(facts["container"]),
        health=facts.get("health"),
        edge=str(facts["edge"]).lower(),
        weight=facts.get("weight"),
        connections=facts["connections"],
        restarts=facts.get("restarts"),
    )


def _back(one: Mapping[str, Any]) -> BackTo:
    return BackTo(
        tag=str(one["tag"]),
        served_at=read_time(str(one["served_at"])),
        possible=bool(one["possible"]),
        why=str(one.get("why") or ""),
        warm=bool(one.get("warm")),
        seconds=number(one.get("seconds")),
    )
