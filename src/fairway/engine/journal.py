"""The journal of one deployment: what was begun, what was done, how it ended.

One JSON object a line. A line that decides what a restart does is synced to disk
before the engine goes on; progress is not. A reader ignores a last line that a
crash cut short.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fairway.engine import clock
from fairway.engine.files import append_line
from fairway.engine.layout import Layout


class Mark(enum.Enum):
    """What a journal line says of a step."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


class Journal:
    """Writes one deployment's journal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._started_at: dict[str, float] = {}

    def accepted(self, **facts: Any) -> None:
        """Record that the engine has taken the deployment on."""
        self._write({"kind": "accepted", **facts}, durable=True)

    def started(self, step: str) -> None:
        """Record that a step is about to act."""
        self._started_at[step] = clock.monotonic()
        self._write({"kind": "step", "step": step, "mark": Mark.STARTED.value}, durable=True)

    def done(self, step: str, message: str) -> None:
        """Record that a step has done its work, with how long it took."""
        self._finish(step, Mark.DONE, message)

    def failed(self, step: str, message: str) -> None:
        """Record that a step could not do its work."""
        self._finish(step, Mark.FAILED, message)

    def undone(self, step: str, message: str) -> None:
        """Record that a step's work was taken back."""
        self._write({"kind": "step", "step": step, "mark": Mark.UNDONE.value, "message": message}, durable=True)

    def progress(self, step: str, message: str) -> None:
        """Tell whoever watches; nothing is decided on it."""
        self._write({"kind": "progress", "step": step, "message": message}, durable=False)

    def ended(self, **facts: Any) -> None:
        """Record how the deployment ended; nothing follows."""
        self._write({"kind": "ended", **facts}, durable=True)

    def _finish(self, step: str, mark: Mark, message: str) -> None:
        begun = self._started_at.get(step)
        seconds = round(clock.monotonic() - begun, 3) if begun is not None else None
        entry = {"kind": "step", "step": step, "mark": mark.value, "message": message, "seconds": seconds}
        self._write(entry, durable=True)

    def _write(self, entry: dict[str, Any], *, durable: bool) -> None:
        line = json.dumps({"at": clock.now(), **entry}, ensure_ascii=False, separators=(",", ":"))
        append_line(self.path, line.encode() + b"\n", durable=durable)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Return the journal's whole lines; an unreadable line is one that a crash cut short."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return list(parse_lines(content.splitlines()))


def parse_lines(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the entries of these lines, leaving out what is not one."""
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("kind"), str):
            yield entry


def has_ended(entries: Iterable[dict[str, Any]]) -> bool:
    """Say whether the deployment's end is on record."""
    return any(entry["kind"] == "ended" for entry in entries)


def steps_marked(entries: Iterable[dict[str, Any]], mark: Mark) -> list[str]:
    """Return the steps with this mark, in the order they got it."""
    return [str(e.get("step")) for e in entries if e["kind"] == "step" and e.get("mark") == mark.value]


def latest_deployment(layout: Layout) -> str | None:
    """Return the id of the newest deployment that was accepted; ids sort by time."""
    return max((path.parent.name for path in layout.deployments.glob("*/journal.jsonl")), default=None)
