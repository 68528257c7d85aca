"""A deployment, while it runs and afterwards: from its journal, or from what is on record of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairway.dashboard.following import Entry, Followed
from fairway.dashboard.views.notes import Note, noted, notes_of
from fairway.dashboard.views.reading import moment, number, text
from fairway.dashboard.views.steps import MAX_STEPS, Countdown, StepView, countdown_of, steps_of
from fairway.dashboard.views.traffic import Traffic, traffic
from fairway.engine.contract.errors import FairwayError, Unreachable
from fairway.observe.attempts import Attempt, read_attempts

# From here on the new release serves for good: it is too late to cancel.
_FINISHING = frozenset({"drain", "record"})


@dataclass(frozen=True)
class Problem:
    """What happened, why as far as known, and what to do next."""

    what: str
    why: str
    hint: str


@dataclass(frozen=True)
class DeploymentView:
    """A deployment.

    ``state`` is one of ``asking`` (nothing was heard yet), ``running``, ``succeeded``, ``failed``,
    ``cancelled``, ``unchanged``, ``unknown`` and ``lost`` (its engine is gone, the next command ends
    it). ``source`` is ``journal``, or ``record`` where the host has the journal no more.
    ``sent_back`` says that visitors met it. ``problem`` is why nothing is heard of it just now.
    """

    environment: str
    id: str
    state: str
    headline: str
    source: str
    action: str = ""
    tag: str = ""
    release: str = ""
    replaces: str | None = None
    slot: str = ""
    by: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float | None = None
    sent_back: bool = False
    error: Problem | None = None
    problem: Problem | None = None
    steps: tuple[StepView, ...] = ()
    countdown: Countdown | None = None
    notes: tuple[Note, ...] = ()
    log: tuple[str, ...] = ()
    traffic: Traffic | None = None
    may_cancel: bool = False

    @property
    def live(self) -> bool:
        """Whether more is to come."""
        return self.state in ("asking", "running", "lost")

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return self.state in ("succeeded", "unchanged") and self.error is None


def show(followed: Followed, recorded: Entry | None) -> DeploymentView:
    """Return a deployment from what was heard of it, and from its entry in the host's record, if there is one."""
    if not followed.entries and recorded is not None and followed.error is not None:
        return _from_record(followed, recorded)
    accepted, ended = followed.accepted, followed.ended
    began = moment(accepted.get("at")) if accepted else None
    steps = steps_of(followed.entries, began, ended)
    running = next((one.name for one in reversed(steps) if one.state == "running"), "")
    state = _state(followed)
    attempt = _attempt(followed.environment, {**accepted, **(ended or {})})
    facts = {**(recorded or {}), **accepted, **(ended or {})}
    return DeploymentView(
        environment=followed.environment,
        id=followed.deployment,
        state=state,
        headline=_headline(state, running, attempt),
        source="journal",
        began_at=began,
        ended_at=moment(ended.get("at")) if ended else None,
        seconds=number(ended.get("seconds")) if ended else None,
        sent_back=attempt is not None and attempt.sent_back,
        error=_error_of(ended) if ended else _lost(followed.error),
        problem=_problem(followed.error) if isinstance(followed.error, Unreachable) else None,
        steps=steps,
        countdown=countdown_of(followed, running),
        notes=notes_of({**noted(followed.entries), **(ended or {})}),
        log=followed.log,
        traffic=traffic(followed.looks, began, text(accepted.get("slot")), _moved(followed.entries)),
        may_cancel=state in ("asking", "running") and running not in _FINISHING,
        **_named(facts),
    )


def said(view: DeploymentView) -> str:
    """Say in a line how it stands."""
    return f"{view.action or 'deployment'} of {view.tag[:11]} on {view.environment}: {view.headline}"


def _from_record(followed: Followed, recorded: Entry) -> DeploymentView:
    attempt = _attempt(followed.environment, recorded)
    state = attempt.outcome.value if attempt else "unknown"
    taken = recorded.get("steps")
    steps = taken if isinstance(taken, dict) else {}
    failed_in = text(recorded.get("failed_in"))
    shown = [StepView(text(name)[:40], "done", seconds=number(took)) for name, took in list(steps.items())[:MAX_STEPS]]
    if failed_in:
        shown.append(StepView(failed_in[:40], "failed"))
    return DeploymentView(
        environment=followed.environment,
        id=followed.deployment,
        state=state,
        headline=_headline(state, "", attempt),
        source="record",
        began_at=attempt.begun_at if attempt else None,
        ended_at=attempt.ended_at if attempt else None,
        seconds=number(recorded.get("seconds")),
        sent_back=attempt is not None and attempt.sent_back,
        error=_error_of(recorded),
        problem=None if followed.gone or followed.error is None else _problem(followed.error),
        steps=tuple(shown),
        notes=notes_of(recorded),
        **_named(recorded),
    )


def _named(facts: Mapping[str, Any]) -> dict[str, Any]:
    replaces = facts.get("replaces")
    names = {name: text(facts.get(name))[:200] for name in ("action", "tag", "release", "slot", "by")}
    return {**names, "replaces": text(replaces)[:200] if replaces else None}


def _state(followed: Followed) -> str:
    ended = followed.ended
    if ended is not None:
        outcome = ended.get("outcome")
        known = ("succeeded", "failed", "cancelled", "unchanged")
        return outcome if isinstance(outcome, str) and outcome in known else "unknown"
    if followed.error is not None and not isinstance(followed.error, Unreachable):
        return "lost"
    return "running" if followed.entries else "asking"


def _headline(state: str, running: str, attempt: Attempt | None) -> str:
    if state == "running":
        return f"running: {running}" if running else "running"
    if state == "failed" and attempt is not None:
        if attempt.refused:
            return "refused: nothing was touched"
        where = f" in {attempt.failed_in}" if attempt.failed_in else ""
        return f"sent back: failed{where} with visitors on it" if attempt.sent_back else f"failed{where}, was undone"
    return {
        "asking": "the host is being asked",
        "succeeded": "succeeded",
        "failed": "failed, was undone",
        "cancelled": "cancelled, was undone",
        "unchanged": "nothing was to be done",
        "lost": "the host tells no more of it",
    }.get(state, "how it ended is not known")


def _moved(entries: Iterable[Entry]) -> datetime | None:
    for entry in entries:
        if entry["kind"] == "step" and entry.get("step") in ("canary", "switch") and entry.get("mark") == "started":
            return moment(entry.get("at"))
    return None


def _attempt(environment: str, facts: Mapping[str, Any]) -> Attempt | None:
    if moment(facts.get("at")) is None:
        return None
    readable = {**facts, "seconds": number(facts.get("seconds")) or 0.0}
    return next(iter(read_attempts(environment, [readable])), None)


def _error_of(facts: Mapping[str, Any]) -> Problem | None:
    error = facts.get("error")
    if not isinstance(error, dict):
        return None
    return Problem(*(text(error.get(key)) for key in ("what", "why", "hint")))


def _lost(error: FairwayError | None) -> Problem | None:
    return None if error is None or isinstance(error, Unreachable) else _problem(error)


def _problem(error: FairwayError) -> Problem:
    return Problem(*(text(one) for one in (error.what, error.why, error.hint)))
