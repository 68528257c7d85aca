"""The journal of one deployment: what was begun, what was done, how it ended.

One JSON object a line. A line that decides what a restart does is synced to disk
before the engine goes on; progress is not. A reader ignores a last line that a
crash cut short.
"""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fairway
from fairway.engine import clock
from fairway.engine.contract.errors import OtherVersion
from fairway.engine.contract.versions import WRITTEN_BY, Relation, compare
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
        self._write({"kind": "accepted", WRITTEN_BY: fairway.__version__, **facts}, durable=True)

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

    def noted(self, step: str, **facts: Any) -> None:
        """Record what a step found, for the ledger."""
        self._write({"kind": "note", "step": step, **facts}, durable=True)

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


def refuse_newer(entries: Iterable[dict[str, Any]], known: Iterable[str]) -> None:
    """Refuse to end what a newer engine began: its steps may not be undone as this one's are.

    ``known`` are the names of this engine's steps. Raises ``OtherVersion``.
    """
    found = list(entries)
    began = next((entry.get(WRITTEN_BY) for entry in found if entry["kind"] == "accepted"), None)
    foreign = sorted(set(steps_marked(found, Mark.STARTED)) - set(known))
    if compare(began, fairway.__version__) is not Relation.NEWER and not foreign:
        return
    at_least = f"{began} or newer" if isinstance(began, str) else "the version it had"
    steps = f"; it began steps that this one does not know: {', '.join(foreign)}" if foreign else ""
    raise OtherVersion(
        "a deployment that was interrupted here was begun by a newer engine; it was left as it is",
        why=f"that engine is {began or 'unknown'}, this one {fairway.__version__}{steps}",
        hint=f"bring the host to {at_least}, then try again: fairway bootstrap <environment>",
        made_by=began if isinstance(began, str) else "",
    )


def steps_marked(entries: Iterable[dict[str, Any]], mark: Mark) -> list[str]:
    """Return the steps with this mark, in the order they got it."""
    return [str(e.get("step")) for e in entries if e["kind"] == "step" and e.get("mark") == mark.value]


def notes_of(entries: Iterable[dict[str, Any]], step: str) -> dict[str, Any]:
    """Return what a step noted; of several notes the last word on each fact that has one."""
    found: dict[str, Any] = {}
    for entry in entries:
        if entry["kind"] == "note" and entry.get("step") == step:
            facts = {key: value for key, value in entry.items() if key not in ("at", "kind", "step")}
            found.update({key: value for key, value in facts.items() if value is not None})
    return found


def latest_deployment(layout: Layout) -> str | None:
    """Return the id of the newest deployment that was accepted; ids sort by time."""
    try:
        names = sorted(os.listdir(layout.deployments), reverse=True)  # noqa: PTH208 - a thousand paths take longer
    except FileNotFoundError:
        return None
    return next((name for name in names if (layout.deployments / name / "journal.jsonl").exists()), None)
