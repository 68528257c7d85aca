"""Show work while it goes on: live on a terminal, one plain line per event elsewhere.

For a program that reads along, ``FAIRWAY_PROGRESS=json`` makes each event a JSON document in a
line: what a host's engine sends as it came, and ``{"kind": "notice" | "step", ...}``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fairway.cli.output import stderr

if TYPE_CHECKING:
    from rich.status import Status

_MARKS = {"done": ("✓", "green"), "failed": ("✗", "red"), "undone": ("↩", "yellow")}


class Progress:
    """Writes to standard error, so that results on standard output stay clean.

    Also the reporter that building a release talks to.
    """

    def __init__(self) -> None:
        self._console = stderr()
        self._live: Status | None = None
        self._step = ""
        self._documents = os.environ.get("FAIRWAY_PROGRESS") == "json"
        #: How many lines of a journal were shown, so that following it again goes on from there.
        self.journal_entries = 0
        #: What a host was asked for, and each of its steps that has ended: name, mark, message, seconds.
        self.headline = ""
        self.steps: list[tuple[str, str, str, float | None]] = []

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._documents:
            self._live = self._console.status("")
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show a step of the control side's own from its beginning to its end."""
        begun = monotonic()
        self._begin(name)
        self._tell({"kind": "step", "step": name, "mark": "started"})
        mark = "failed"
        try:
            yield
            mark = "done"
        finally:
            took = monotonic() - begun
            self._tell({"kind": "step", "step": name, "mark": mark, "seconds": round(took, 3)})
            self._end(name, mark, "", took)

    def line(self, text: str) -> None:
        """Show what the current step says."""
        from rich.text import Text

        if self._documents:
            return
        if self._live is not None:
            self._live.update(Text(f"{self._step}: {text[:160]}", style="dim"))
        else:
            self._console.print(Text(f"  {self._step}: {text}"))

    def notice(self, text: str) -> None:
        """Show a line that is neither a step nor its progress."""
        self._tell({"kind": "notice", "line": text})
        self._say("!", "yellow", text)

    def waiting(self, text: str) -> None:
        """Show, on a terminal, what is waited for once the last step has ended."""
        if self._live is not None:
            self._live.update(f"{text} ...")

    def event(self, document: dict[str, Any]) -> None:
        """Show an event of a host's engine."""
        kind = document.get("kind")
        if kind == "notice":
            self.notice(str(document.get("line")))
        else:
            self._tell(document)
        if kind != "journal" or not isinstance(document.get("entry"), dict):
            return
        entry: dict[str, Any] = document["entry"]
        self.journal_entries += 1
        if entry["kind"] == "accepted":
            self.headline = f"{entry.get('action')} {str(entry.get('tag'))[:11]}, by {entry.get('by')}"
            self._say("→", "cyan", f"{entry.get('host')}: {self.headline}")
        elif entry["kind"] == "progress":
            self._step = str(entry.get("step"))
            self.line(str(entry.get("message")))
        elif entry["kind"] == "step" and entry.get("mark") == "started":
            self._begin(str(entry.get("step")))
        elif entry["kind"] == "step":
            step, mark, message = (str(entry.get(key)) for key in ("step", "mark", "message"))
            seconds = entry.get("seconds")
            self.steps.append((step, mark, message, seconds if isinstance(seconds, (int, float)) else None))
            self._end(step, mark, message, seconds)

    def _begin(self, name: str) -> None:
        self._step = name
        if self._live is not None:
            self._live.update(f"{name} ...")

    def _end(self, name: str, mark: str, message: str, seconds: Any) -> None:
        sign, colour = _MARKS.get(mark, ("·", "white"))
        took = f"{seconds:6.2f} s" if isinstance(seconds, (int, float)) else " " * 8
        self._say(sign, colour, f"{name:<10} {took}  {message}".rstrip())

    def _tell(self, document: dict[str, Any]) -> None:
        if self._documents:
            print(json.dumps(document, ensure_ascii=False), file=sys.stderr, flush=True)

    def _say(self, sign: str, colour: str, text: str) -> None:
        if self._documents:
            return
        from rich.text import Text

        self._console.print(Text.assemble((sign, colour), " ", text))
