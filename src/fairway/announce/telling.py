"""Tell everybody beside the deployment: a thread for each, so that none waits for another, and nothing for any."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

from fairway.announce.model import Announcer, Deployment, Ending, Kind, read_ending, read_time
from fairway.engine.contract.errors import FairwayError

#: How long a command waits, once its deployment has ended, for what is still being told.
PATIENCE_S = 10.0
_MOST_CHARACTERS = 300
_LOOK_EVERY_S = 0.1


class Announcements:
    """Hears a deployment as it goes, and tells the announcers of its beginning and its end.

    Hand every event of the host to :meth:`hear`, and what came of it to :meth:`ended`.
    """

    def __init__(
        self,
        announcers: tuple[Announcer, ...],
        notice: Callable[[str], None],
        *,
        project: str,
        environment: str,
        promoted: bool = False,
        url: str | None = None,
        problems: tuple[str, ...] = (),
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._tellers = [_Teller(announcer) for announcer in announcers]
        self._notice = notice
        self._project = project
        self._environment = environment
        self._promoted = promoted
        self._url = url
        self._problems = problems
        self._patience_s = patience_s
        self._entries: list[Mapping[str, Any]] = []
        self._deployment: Deployment | None = None

    @property
    def listeners(self) -> tuple[str, ...]:
        """Who is to be told, by name."""
        return tuple(teller.name for teller in self._tellers)

    def hear(self, document: Mapping[str, Any]) -> None:
        """Take note of an event; the one by which a host accepts the deployment is told at once."""
        entry = document.get("entry")
        asked_for = self._tellers or self._problems
        if not asked_for or document.get("kind") != "journal" or not isinstance(entry, Mapping):
            return
        self._entries.append(entry)
        if entry.get("kind") == "accepted" and self._deployment is None:
            self._deployment = self._read(entry)
            for teller in self._tellers:
                teller.begin(self._deployment)

    def ended(self, result: Mapping[str, Any] | FairwayError) -> None:
        """Tell how it ended, wait until that is told, and show what was not; of what no host accepted nothing is told.

        ``result`` is the journal's last line, or what kept it from being heard.
        """
        if self._deployment is None:
            return
        self._tell_end(read_ending(result, tuple(self._entries)))
        problems = [*self._problems, *(problem for teller in self._tellers for problem in teller.problems)]
        if problems:
            self._notice(f"not told: {'; '.join(problems)}")

    def _tell_end(self, ending: Ending) -> None:
        deadline = time.monotonic() + self._patience_s
        try:
            for teller in self._tellers:
                teller.end(ending)
            for teller in self._tellers:
                teller.join(deadline)
        except KeyboardInterrupt:
            return  # the deployment has ended: somebody does not want to wait for this

    def _read(self, entry: Mapping[str, Any]) -> Deployment:
        kind = Kind(entry["action"]) if entry.get("action") in _KINDS else Kind.DEPLOY
        return Deployment(
            project=self._project,
            environment=self._environment,
            kind=Kind.PROMOTE if kind is Kind.DEPLOY and self._promoted else kind,
            id=str(entry.get("deployment")),
            tag=str(entry.get("tag")),
            release=str(entry.get("release")),
            by=str(entry.get("by")),
            begun_at=read_time(entry.get("at")) or datetime.now(UTC),
            production=self._promoted or self._environment == "production",
            url=self._url,
        )


_KINDS = frozenset(kind.value for kind in Kind)


class _Teller:
    """One announcer's thread. It dies with the command, whatever it waits for."""

    def __init__(self, announcer: Announcer) -> None:
        self.name = announcer.name
        self._announcer = announcer
        self._endings: SimpleQueue[Ending] = SimpleQueue()
        self._found: list[str] = []
        # A thread that was waited for in vain does not know afterwards whether it lives (bpo-45274).
        self._done = threading.Event()

    def begin(self, deployment: Deployment) -> None:
        threading.Thread(target=self._run, args=(deployment,), daemon=True).start()

    def end(self, ending: Ending) -> None:
        self._endings.put(ending)

    def join(self, deadline: float) -> None:
        """Wait for its end, until then."""
        # Again and again: a Ctrl-C right before a wait is seen after it.
        while not self._done.wait(_LOOK_EVERY_S) and time.monotonic() < deadline:
            continue

    @property
    def problems(self) -> list[str]:
        """The first of what it could not tell."""
        return self._found[:1] if self._done.is_set() else [f"{self.name} (no answer in time)"]

    def _run(self, deployment: Deployment) -> None:
        try:
            self._attempt(lambda: self._announcer.begun(deployment))
            ending = self._endings.get()
            self._attempt(lambda: self._announcer.ended(deployment, ending))
        finally:
            self._done.set()

    def _attempt(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception as error:  # whatever a library meets, the deployment goes on
            self._found.append(in_a_line(self._announcer.name, error, self._announcer.secrets))


def in_a_line(name: str, error: Exception, secrets: tuple[str, ...] = ()) -> str:
    """Say who was not told and why; of an error that is not Fairway's own no more than what kind it is of."""
    if not isinstance(error, FairwayError):
        return f"{name} ({type(error).__name__})"
    line = " ".join(f"{name} ({error.what}{f': {error.why}' if error.why else ''})".split())
    for secret in secrets:
        if secret:
            line = line.replace(secret, "***")
    return line[:_MOST_CHARACTERS]
