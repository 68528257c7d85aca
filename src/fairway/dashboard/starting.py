"""What was begun from the dashboard: each a ``fairway`` command that goes on whether or not anybody looks."""

from __future__ import annotations

import re
import shutil
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from fairway.dashboard.commands import Answer, Command, accepted_in, as_text, progress_of, read_answer, words
from fairway.engine.contract.errors import Failed, FairwayError, Invalid, Refused
from fairway.process import Started

_TICKET = re.compile(r"[A-Za-z0-9_-]{16,64}")
_KEPT = 50
_LOOK_S = 0.2
_MAX_LINES = 40
CANCEL = "cancel"


@dataclass(frozen=True)
class Run:
    """A command that was begun here, by its ticket.

    ``deployment`` is what the host has taken on for it, empty as long as it has not; ``answer``
    how the command ended, None while it runs.
    """

    ticket: str
    environment: str
    action: str
    tag: str
    command: str
    started_at: datetime
    deployment: str = ""
    said: tuple[str, ...] = ()
    answer: Answer | None = None

    @property
    def over(self) -> bool:
        """Whether the command has ended."""
        return self.answer is not None

    @property
    def error(self) -> FairwayError | None:
        """Why it did not do what was asked for."""
        return self.answer.error if self.answer else None


class Runs:
    """Begins commands, one at a time for an environment, and knows what became of the newest ones."""

    def __init__(self, command: Command, root: Path) -> None:
        self._command = command
        self._root = root
        self._lock = threading.Lock()
        self._each: OrderedDict[str, Run] = OrderedDict()
        self._directories: set[Path] = set()

    def start(
        self, ticket: str, environment: str, action: str, tag: str, arguments: tuple[str, ...], *, about: str = ""
    ) -> Run:
        """Begin a command. One with the same ticket was the first click of two: it is returned as it is.

        ``about`` is the deployment it is about, where there is one already.
        Raises ``Refused`` while another one from here is at work on the environment; a
        cancel does not wait for what it cancels.
        """
        if not _TICKET.fullmatch(ticket):
            raise Invalid("the form has no ticket", hint="look at the plan again, and start from there")
        with self._lock:
            known = self._each.get(ticket)
            if known is not None:
                return known
            for one in self._each.values():
                if not one.over and one.environment == environment and (one.action == CANCEL) == (action == CANCEL):
                    raise Refused(
                        f"a {one.action} on {environment} was begun here and is still at work",
                        hint="see it to its end, or cancel it",
                    )
            run = Run(ticket, environment, action, tag, as_text(arguments), datetime.now(UTC), deployment=about)
            directory = Path(mkdtemp(prefix="fairway-ui-"))
            try:
                process = self._command.start(arguments, self._root, directory / "out", directory / "err")
            except FairwayError:
                shutil.rmtree(directory, ignore_errors=True)
                raise
            self._directories.add(directory)
            self._each[ticket] = run
            while len(self._each) > _KEPT:
                self._each.popitem(last=False)
        threading.Thread(target=self._watch, args=(ticket, process, directory), daemon=True).start()
        return run

    def get(self, ticket: str) -> Run | None:
        """Return one by its ticket."""
        with self._lock:
            return self._each.get(ticket)

    def of(self, environment: str, deployment: str) -> tuple[Run, ...]:
        """Return those that are about a deployment: what began it, and what was to cancel it."""
        with self._lock:
            return tuple(
                one for one in self._each.values() if one.environment == environment and one.deployment == deployment
            )

    def stop(self) -> None:
        """Leave nothing behind. What was begun goes on, and writes on into files that have no name any more."""
        with self._lock:
            directories = tuple(self._directories)
        for directory in directories:
            self._remove(directory)

    def _remove(self, directory: Path) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        with self._lock:
            self._directories.discard(directory)

    def _watch(self, ticket: str, process: Started, directory: Path) -> None:
        """Read along until it has ended; what it wrote goes then."""
        from subprocess import TimeoutExpired

        code: int | None = None
        try:
            with (directory / "err").open("rb") as progress:
                rest = b""
                while code is None:
                    try:
                        code = process.wait(_LOOK_S)
                    except TimeoutExpired:
                        code = None
                    *lines, rest = (rest + progress.read()).split(b"\n")
                    self._hear(ticket, [line.decode("utf-8", "replace") for line in lines])
            answer = read_answer(code, directory / "out", directory / "err")
        except OSError as error:
            answer = Answer(code if code is not None else Failed.exit_code, {}, str(error))
        self._change(ticket, answer=answer)
        self._remove(directory)

    def _hear(self, ticket: str, lines: list[str]) -> None:
        for line in lines:
            if accepted := accepted_in(line):
                self._change(ticket, deployment=accepted)
            # An error in words comes as a document besides.
            elif progress_of(line) is not None and (said := words(line)):
                run = self.get(ticket)
                if run is not None:
                    self._change(ticket, said=(*run.said, said)[-_MAX_LINES:])

    def _change(self, ticket: str, **facts: object) -> None:
        with self._lock:
            run = self._each.get(ticket)
            if run is not None:
                self._each[ticket] = replace(run, **facts)  # type: ignore[arg-type]
