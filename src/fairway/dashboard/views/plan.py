"""What a deployment would do, before it is begun, and whether it may be begun from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairway.dashboard.commands import Action, Answer, as_text, start_of
from fairway.dashboard.views.deployment import Problem
from fairway.dashboard.views.reading import moment, number
from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.names import Tag

_MAX_ROWS = 60
_MAX_TEXT = 4000


@dataclass(frozen=True)
class PlannedStep:
    """A step, what it would change, and why it would fail, where that is known already."""

    name: str
    change: str
    problem: str = ""


@dataclass(frozen=True)
class BackTo:
    """A release that served here: what going back to it would take, or ``why`` that is not possible.

    ``seconds`` is about how long it would take; ``warm`` says that its slot still runs.
    """

    tag: str
    served_at: datetime | None
    possible: bool
    why: str
    warm: bool
    seconds: float | None


@dataclass(frozen=True)
class PlanView:
    """The plan of a command.

    ``serving`` is the tag that serves while the plan is made, empty when none does.
    ``refused`` is why it was refused as a whole; ``obstacle`` why it may not be begun
    from here, empty when it may.
    """

    environment: str
    action: str
    command: str
    serving: str
    tag: str = ""
    release: str = ""
    slot: str = ""
    unchanged: bool = False
    steps: tuple[PlannedStep, ...] = ()
    drift: tuple[str, ...] = ()
    rollbacks: tuple[BackTo, ...] = ()
    refused: Problem | None = None
    obstacle: str = ""


def plan_view(action: Action, environment: str, tag: Tag | None, status: Mapping[str, Any], answer: Answer) -> PlanView:
    """Return the plan of what was asked for, from what the command and the host's status say."""
    command = as_text(start_of(action, environment, tag))
    serving = serving_of(status)
    error = answer.error
    if error is not None:
        refused = Problem(error.what, error.why, error.hint)
        # Which releases can be gone back to is told also where the one that was asked for cannot.
        back = _rollbacks(status) if action is Action.ROLLBACK else ()
        return PlanView(
            environment, action.value, command, serving, rollbacks=back, refused=refused, obstacle="it is refused"
        )
    document = answer.document
    steps = tuple(
        PlannedStep(_text(one.get("step")), _text(one.get("change")), _text(one.get("problem")))
        for one in _objects(document.get("steps"))
    )
    unchanged = document.get("unchanged") is True
    return PlanView(
        environment,
        action.value,
        as_text(start_of(action, environment, _meant(document, tag))),
        serving,
        tag=_text(document.get("tag")),
        release=_text(document.get("release")),
        slot=_text(document.get("slot")),
        unchanged=unchanged,
        steps=steps,
        drift=tuple(_text(line) for line in _list(document.get("drift"))),
        rollbacks=_rollbacks(document),
        obstacle=_obstacle(steps, status, unchanged=unchanged),
    )


def serving_of(status: Mapping[str, Any]) -> str:
    """Return the tag that serves, empty when none does."""
    serving = status.get("serving")
    return _text(serving.get("tag")) if isinstance(serving, dict) else ""


def refuse_stale(shown: str, now: str) -> None:
    """Refuse to begin what was planned while another release served."""
    if shown != now:
        raise Refused(
            "something else serves by now: nothing was begun",
            why=f"the plan was made while {shown[:11] or 'nothing'} served; now it is {now[:11] or 'nothing'}",
            hint="look at the plan again",
        )


def _meant(document: Mapping[str, Any], tag: Tag | None) -> Tag | None:
    """Return the release that was found for what was asked."""
    try:
        return Tag(_text(document.get("tag")))
    except Invalid:
        return tag


def _obstacle(steps: tuple[PlannedStep, ...], status: Mapping[str, Any], *, unchanged: bool) -> str:
    if status.get("deploying"):
        running = status.get("deployment")
        purpose = running.get("purpose") if isinstance(running, dict) else None
        return f"a {_text(purpose) or 'deployment'} is running there"
    if unchanged:
        return "it is already what serves"
    if not steps:
        return "there is nothing to do"
    failing = [step.name for step in steps if step.problem]
    return f"it would fail in {', '.join(failing)}" if failing else ""


def _rollbacks(document: Mapping[str, Any]) -> tuple[BackTo, ...]:
    return tuple(_back_to(one) for one in _objects(document.get("rollbacks")))


def _back_to(row: Mapping[str, Any]) -> BackTo:
    return BackTo(
        tag=_text(row.get("tag")),
        served_at=moment(row.get("served_at")),
        possible=row.get("possible") is True,
        why=_text(row.get("why")),
        warm=row.get("warm") is True,
        seconds=number(row.get("seconds")),
    )


def _objects(found: Any) -> list[Mapping[str, Any]]:
    return [one for one in _list(found) if isinstance(one, dict)]


def _list(found: Any) -> list[Any]:
    return found[:_MAX_ROWS] if isinstance(found, list) else []


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:_MAX_TEXT]
