"""The steps of a deployment, from its journal: what each did, how long it took, what it waits for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fairway.dashboard.following import Entry, Followed
from fairway.dashboard.views.reading import moment, number, text

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
_COUNTED = {"soak": "the soak ends", "canary": "the share of the canary grows", "drain": "the drain ends"}
_LEFT = re.compile(r"([0-9]{1,6}) s left")
MAX_STEPS = 60
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


def steps_of(entries: Sequence[Entry], began: datetime | None, ended: Entry | None) -> tuple[StepView, ...]:
    """Return the steps that were begun, then those that may follow while it runs."""
    told: dict[str, list[Entry]] = {}
    for entry in entries:
        name = entry.get("step")
        if entry["kind"] in ("step", "progress") and isinstance(name, str) and len(told) < MAX_STEPS:
            told.setdefault(name[:40], []).append(entry)
    end = moment(entries[-1].get("at")) if entries else None
    whole = (end - began).total_seconds() if began and end else 0.0
    found = [_step(name, of, began, whole, over=ended is not None) for name, of in told.items()]
    if ended is not None or not entries:
        return tuple(found)
    furthest = max((ORDER.index(one.name) for one in found if one.name in ORDER), default=-1)
    broken = any(one.state in ("failed", "undone") for one in found)
    waiting = () if broken else tuple(StepView(name, "waiting") for name in ORDER[furthest + 1 :])
    return (*found, *waiting)


def _step(name: str, entries: Sequence[Entry], began: datetime | None, whole: float, *, over: bool) -> StepView:
    marks = {text(one.get("mark")): one for one in entries if one["kind"] == "step"}
    state = next((mark for mark in ("failed", "undone", "done") if mark in marks), "failed" if over else "running")
    finished = marks.get("failed") or marks.get("done") or {}
    seconds = number(finished.get("seconds"))
    kept = _LINES_OF_READY if name == "ready" else _SAID_LINES
    progress = [one for one in entries if one["kind"] == "progress"]
    begins = takes = None
    started = moment(marks["started"].get("at")) if "started" in marks else None
    if began is not None and started is not None and whole > 0:
        begins = _hundredths((started - began).total_seconds() / whole)
        lasted = seconds if seconds is not None else whole - (started - began).total_seconds()
        takes = min(max(_hundredths(lasted / whole), 0.5), 100 - begins)
    return StepView(
        name,
        state,
        seconds=seconds,
        message=text(finished.get("message")),
        undone=text(marks["undone"].get("message")) or "undone" if "undone" in marks else "",
        said=tuple(Said(text(one.get("at"))[11:19], text(one.get("message"))) for one in progress[-kept:]),
        begins=begins,
        takes=takes,
    )


def countdown_of(followed: Followed, running: str) -> Countdown | None:
    newest = followed.newest
    if running not in _COUNTED or newest is None or newest.get("step") != running or newest["kind"] != "progress":
        return None
    line = text(newest.get("message"))
    left = _LEFT.search(line)
    if left is None:
        return None
    every = (_LEFT.search(text(one.get("message"))) for one in followed.entries if one.get("step") == running)
    of_s = max((int(one[1]) for one in every if one is not None), default=0)
    return Countdown(running, _COUNTED[running], int(left[1]), max(of_s, int(left[1]), 1), line)


def _hundredths(part: float) -> float:
    return round(min(max(part, 0.0), 1.0) * 100, 1)
