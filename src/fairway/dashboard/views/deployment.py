"""A deployment, while it runs and afterwards: from its journal, or from what is on record of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairway.dashboard.following import Entry, Followed
from fairway.dashboard.views.traffic import Traffic, traffic
from fairway.engine.contract.errors import FairwayError, Unreachable
from fairway.observe.attempts import Attempt, read_attempts, read_time

#: The engine's steps, in order; what a host tells beside them is shown where it came.
ORDER = (
    "verify",
    "preflight",
    "pull",
    "services",
    "backup",
    "rehearse",
    "migrate",
    "start",
    "ready",
    "canary",
    "switch",
    "workers",
    "soak",
    "drain",
    "record",
)
# From here on the new release serves for good: it is too late to cancel.
_FINISHING = frozenset({"drain", "record"})
_COUNTED = {"soak": "the soak ends", "canary": "the share of the canary grows", "drain": "the drain ends"}
_LEFT = re.compile(r"([0-9]{1,6}) s left")
_MAX_STEPS = 60
_MAX_TEXT = 8000
_SAID_LINES = 3
_LINES_OF_READY = 12


@dataclass(frozen=True)
class Said:
    """A line that a step told while it was at work."""

    at: str
    line: str


@dataclass(frozen=True)
class StepView:
    """A step. ``state`` is ``waiting``, ``running``, ``done``, ``failed`` or ``undone``.

    ``begins`` and ``takes`` are parts of the whole in hundredths, for a bar to scale.
    """

    name: str
    state: str
    seconds: float | None = None
    message: str = ""
    undone: str = ""
    said: tuple[Said, ...] = ()
    begins: float | None = None
    takes: float | None = None


@dataclass(frozen=True)
class Countdown:
    """For how long the running step goes on at most: ``left_s`` of ``of_s``, with what was said."""

    step: str
    words: str
    left_s: int
    of_s: int
    line: str


@dataclass(frozen=True)
class Note:
    """What a step found, for the record."""

    name: str
    words: str


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
    began = read_time(_text(accepted.get("at"))) if accepted else None
    steps = _steps(followed.entries, began, ended)
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
        ended_at=read_time(_text(ended.get("at"))) if ended else None,
        seconds=_number(ended.get("seconds")) if ended else None,
        sent_back=attempt is not None and attempt.sent_back,
        error=_error_of(ended) if ended else _lost(followed.error),
        problem=_problem(followed.error) if isinstance(followed.error, Unreachable) else None,
        steps=steps,
        countdown=_countdown(followed, running),
        notes=_notes({**_noted(followed.entries), **(ended or {})}),
        log=followed.log,
        traffic=traffic(followed.looks, began, _text(accepted.get("slot")), _moved(followed.entries)),
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
    failed_in = _text(recorded.get("failed_in"))
    shown = [
        StepView(_text(name)[:40], "done", seconds=_number(took)) for name, took in list(steps.items())[:_MAX_STEPS]
    ]
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
        seconds=_number(recorded.get("seconds")),
        sent_back=attempt is not None and attempt.sent_back,
        error=_error_of(recorded),
        problem=None if followed.gone or followed.error is None else _problem(followed.error),
        steps=tuple(shown),
        notes=_notes(recorded),
        **_named(recorded),
    )


def _named(facts: Mapping[str, Any]) -> dict[str, Any]:
    replaces = facts.get("replaces")
    names = {name: _text(facts.get(name))[:200] for name in ("action", "tag", "release", "slot", "by")}
    return {**names, "replaces": _text(replaces)[:200] if replaces else None}


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


def _steps(entries: Sequence[Entry], began: datetime | None, ended: Entry | None) -> tuple[StepView, ...]:
    """Return the steps that were begun, then those that may follow while it runs."""
    told: dict[str, list[Entry]] = {}
    for entry in entries:
        name = entry.get("step")
        if entry["kind"] in ("step", "progress") and isinstance(name, str) and len(told) < _MAX_STEPS:
            told.setdefault(name[:40], []).append(entry)
    end = read_time(_text(entries[-1].get("at"))) if entries else None
    whole = (end - began).total_seconds() if began and end else 0.0
    found = [_step(name, of, began, whole, over=ended is not None) for name, of in told.items()]
    if ended is not None or not entries:
        return tuple(found)
    furthest = max((ORDER.index(one.name) for one in found if one.name in ORDER), default=-1)
    broken = any(one.state in ("failed", "undone") for one in found)
    waiting = () if broken else tuple(StepView(name, "waiting") for name in ORDER[furthest + 1 :])
    return (*found, *waiting)


def _step(name: str, entries: Sequence[Entry], began: datetime | None, whole: float, *, over: bool) -> StepView:
    marks = {_text(one.get("mark")): one for one in entries if one["kind"] == "step"}
    state = next((mark for mark in ("failed", "undone", "done") if mark in marks), "failed" if over else "running")
    finished = marks.get("failed") or marks.get("done") or {}
    seconds = _number(finished.get("seconds"))
    kept = _LINES_OF_READY if name == "ready" else _SAID_LINES
    progress = [one for one in entries if one["kind"] == "progress"]
    begins = takes = None
    started = read_time(_text(marks["started"].get("at"))) if "started" in marks else None
    if began is not None and started is not None and whole > 0:
        begins = _hundredths((started - began).total_seconds() / whole)
        lasted = seconds if seconds is not None else whole - (started - began).total_seconds()
        takes = min(max(_hundredths(lasted / whole), 0.5), 100 - begins)
    return StepView(
        name,
        state,
        seconds=seconds,
        message=_text(finished.get("message")),
        undone=_text(marks["undone"].get("message")) or "undone" if "undone" in marks else "",
        said=tuple(Said(_text(one.get("at"))[11:19], _text(one.get("message"))) for one in progress[-kept:]),
        begins=begins,
        takes=takes,
    )


def _countdown(followed: Followed, running: str) -> Countdown | None:
    newest = followed.newest
    if running not in _COUNTED or newest is None or newest.get("step") != running or newest["kind"] != "progress":
        return None
    line = _text(newest.get("message"))
    left = _LEFT.search(line)
    if left is None:
        return None
    every = (_LEFT.search(_text(one.get("message"))) for one in followed.entries if one.get("step") == running)
    of_s = max((int(one[1]) for one in every if one is not None), default=0)
    return Countdown(running, _COUNTED[running], int(left[1]), max(of_s, int(left[1]), 1), line)


def _moved(entries: Iterable[Entry]) -> datetime | None:
    for entry in entries:
        if entry["kind"] == "step" and entry.get("step") in ("canary", "switch") and entry.get("mark") == "started":
            return read_time(_text(entry.get("at")))
    return None


def _noted(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return what the steps noted so far, by the names it will have on record."""
    found: dict[str, Any] = {}
    for entry in entries:
        if entry["kind"] != "note":
            continue
        facts = {key: value for key, value in entry.items() if key not in ("at", "kind", "step")}
        of = {"migrate": "schema", "backup": "backup"}.get(_text(entry.get("step")))
        if of is not None:
            found[of] = {**found.get(of, {}), **facts}
        else:
            found.update(facts)
    return found


def _notes(facts: Mapping[str, Any]) -> tuple[Note, ...]:
    tellers = (
        ("schema", "Database", _schema),
        ("backup", "Backup before it", _backup),
        ("rehearsal", "Rehearsal", _rehearsal),
        ("evidence", "Rests on", _evidence),
        ("forced", "Forced", _forced),
    )
    told = [(title, tell(facts[key])) for key, title, tell in tellers if facts.get(key)]
    return tuple(Note(title, words[:_MAX_TEXT]) for title, words in told if words)


def _schema(found: Any) -> str:
    if not isinstance(found, dict):
        return ""
    before, after, missing = (found.get(key) for key in ("before", "after", "missing"))
    words = []
    if isinstance(after, list):
        had = {_text(one) for one in before} if isinstance(before, list) else set()
        new = [_text(one) for one in after if _text(one) not in had]
        words.append(f"applied {', '.join(new)}" if new else "no migration was new")
    if isinstance(missing, list) and missing:
        words.append(f"not applied: {', '.join(map(_text, missing))}")
    return "; ".join(words)


def _backup(found: Any) -> str:
    return _text(found.get("backup")) if isinstance(found, dict) else _text(found)


def _rehearsal(found: Any) -> str:
    if not isinstance(found, dict):
        return ""
    return ": ".join(filter(None, (_text(found.get("outcome")), _text(found.get("why")))))


def _evidence(found: Any) -> str:
    if not isinstance(found, list):
        return ""
    return ", ".join(f"{_text(one.get('kind'))} by {_text(one.get('by'))}" for one in found if isinstance(one, dict))


def _forced(found: Any) -> str:
    if not isinstance(found, dict):
        return _text(found)
    over = found.get("over")
    what = f", over {', '.join(map(_text, over)) if isinstance(over, list) else _text(over)}" if over else ""
    return f"{_text(found.get('reason'))}{what}"


def _attempt(environment: str, facts: Mapping[str, Any]) -> Attempt | None:
    readable = {**facts, "seconds": _number(facts.get("seconds")) or 0.0}
    return next(iter(read_attempts(environment, [readable])), None)


def _error_of(facts: Mapping[str, Any]) -> Problem | None:
    error = facts.get("error")
    if not isinstance(error, dict):
        return None
    return Problem(*(_text(error.get(key)) for key in ("what", "why", "hint")))


def _lost(error: FairwayError | None) -> Problem | None:
    return None if error is None or isinstance(error, Unreachable) else _problem(error)


def _problem(error: FairwayError) -> Problem:
    return Problem(*(_text(one) for one in (error.what, error.why, error.hint)))


def _text(value: Any) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else "" if value is None else str(value)[:_MAX_TEXT]


def _number(value: Any) -> float | None:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9
    return float(value) if good else None


def _hundredths(part: float) -> float:
    return round(min(max(part, 0.0), 1.0) * 100, 1)
