"""Journals as a host's engine writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.unit.observe.records import NOW, tag

ID = "20260630-120000-000000"
_SECONDS = {"verify": 0.2, "preflight": 0.3, "pull": 2.0, "services": 0.1, "start": 0.5, "ready": 1.0, "switch": 0.2}


def at(after_s: float) -> str:
    """Return a moment so long after the deployment was accepted."""
    return (NOW + timedelta(seconds=after_s)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def accepted(letter: str = "b", **facts: Any) -> dict[str, Any]:
    """Return a journal's first line."""
    named = {"deployment": ID, "action": "deploy", "tag": tag(letter), "slot": "green", "by": "ada@laptop"}
    return {"at": at(0), "kind": "accepted", **named, **facts}


def step(name: str, mark: str, after_s: float, **facts: Any) -> dict[str, Any]:
    """Return a step's line."""
    return {"at": at(after_s), "kind": "step", "step": name, "mark": mark, **facts}


def progress(name: str, message: str, after_s: float) -> dict[str, Any]:
    """Return what a step told."""
    return {"at": at(after_s), "kind": "progress", "step": name, "message": message}


def done(*names: str) -> list[dict[str, Any]]:
    """Return the lines of these steps, one after the other."""
    lines, now = [], 0.0
    for name in names:
        lines.append(step(name, "started", now))
        now += _SECONDS[name]
        lines.append(step(name, "done", now, message=f"{name} is done", seconds=_SECONDS[name]))
    return lines


def ended(outcome: str, seconds: float, **facts: Any) -> dict[str, Any]:
    """Return a journal's last line."""
    return {"at": at(seconds), "kind": "ended", "outcome": outcome, "tag": tag("b"), "seconds": seconds, **facts}


def error(what: str, why: str = "", hint: str = "", exit_code: int = 1) -> dict[str, Any]:
    """Return an error as a document."""
    return {"what": what, "why": why, "hint": hint, "exit_code": exit_code}


TO_SWITCH = done("verify", "preflight", "pull", "services", "start", "ready", "switch")
#: One that does well.
GOOD = [
    accepted(),
    *TO_SWITCH,
    {"at": at(4.3), "kind": "note", "step": "migrate", "before": ["0005"], "after": ["0005", "0006_location"]},
    step("record", "started", 4.4),
    step("record", "done", 4.5, message="sha-bbbbbbb serves", seconds=0.1),
    ended("succeeded", 4.5, schema={"before": ["0005"], "after": ["0005", "0006_location"]}),
]
#: One that is never ready; what it answers comes from the application.
UNREADY = [
    accepted(),
    *done("verify", "start"),
    step("ready", "started", 1),
    progress("ready", "connection refused", 1),
    progress("ready", '503 {"forecast": "down"}', 2),
    step("ready", "failed", 5, message="sha-bbbbbbb was not ready within 4 s", seconds=4.0),
    step("start", "undone", 5.1, message="green is stopped"),
    ended(
        "failed",
        5.2,
        failed_in="ready",
        error=error("sha-bbbbbbb was not ready within 4 s", 'GET /api/ready: 503 {"forecast": "down"}', "look there"),
    ),
]
#: One that visitors met, and that was sent back.
SENT_BACK = [
    accepted(),
    *TO_SWITCH,
    step("soak", "started", 5),
    progress("soak", "20 s left: 0 requests, 0 failed, 0 ms", 5),
    progress("soak", "12 s left: 80 requests, 9 failed, 12 ms", 13),
    step("soak", "failed", 13, message="does worse", seconds=8.0),
    step("switch", "undone", 13.1, message="from green to blue"),
    ended(
        "failed",
        13.2,
        failed_in="soak",
        error=error("sha-bbbbbbb does worse than the release before", "11.2% of 80 requests failed", "see soak"),
    ),
]
