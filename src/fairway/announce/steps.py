"""The steps of a deployment with the host's own times, out of its journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from fairway.announce.model import Ending, read_time

# What the engine puts before the reason.
_NOT_UNDONE = "undo: "


@dataclass(frozen=True)
class Step:
    """A step that was begun. ``whole`` is False for one that nobody heard the end of, or that a lost engine left."""

    name: str
    begun_at: datetime
    ended_at: datetime
    failed: bool = False
    whole: bool = True
    message: str = ""
    progress: tuple[tuple[datetime, str], ...] = ()


@dataclass
class _Open:
    name: str
    begun_at: datetime
    progress: list[tuple[datetime, str]] = field(default_factory=list)

    def close(self, at: datetime, *, mark: str = "", message: str = "") -> Step:
        ended_at, whole = max(at, self.begun_at), bool(mark)
        return Step(self.name, self.begun_at, ended_at, mark == "failed", whole, message, tuple(self.progress))


def read_steps(ending: Ending) -> list[Step]:
    """Return the steps in the order they began; one that ran twice, after its engine was lost, is there twice."""
    steps: list[Step] = []
    running: _Open | None = None
    last_at: datetime | None = None
    for entry in ending.entries:
        at = read_time(entry.get("at"))
        name, mark, message = (str(entry.get(key) or "") for key in ("step", "mark", "message"))
        if at is None or entry.get("kind") not in ("step", "progress"):
            continue
        if mark == "started":
            if running is not None:
                steps.append(running.close(last_at or at))
            running = _Open(name, at)
        elif running is not None and name == running.name and entry["kind"] == "progress":
            running.progress.append((at, message))
        elif running is not None and name == running.name and mark in ("done", "failed"):
            steps.append(running.close(at, mark=mark, message=message))
            running = None
        last_at = at
    if running is not None:
        steps.append(running.close(ending.ended_at))
    return steps


def undone(ending: Ending) -> Iterator[tuple[datetime, str, str, str]]:
    """Yield what was taken back, or could not be: when, which of the two, of which step, and the host's words."""
    for entry in ending.entries:
        at, mark, message = read_time(entry.get("at")), entry.get("mark"), str(entry.get("message") or "")
        if at is None or entry.get("kind") != "step":
            continue
        if mark == "undone":
            yield at, "undone", str(entry.get("step")), message
        elif mark == "failed" and message.startswith(_NOT_UNDONE):
            yield at, "not undone", str(entry.get("step")), message.removeprefix(_NOT_UNDONE)
