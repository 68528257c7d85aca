"""Follow deployments on their hosts, each once, for however many look at it.

What is heard stays here while it is small: a page that comes later, or comes back, finds the
whole of it. A deployment that has ended is read from its journal and kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from fairway.dashboard.nonsense import NONSENSE, cannot_be_read
from fairway.engine.contract.errors import FairwayError, Invalid, OtherVersion, Unreachable
from fairway.engine.contract.protocol import Operation
from fairway.observe.rates import Rates, rates
from fairway.remote.line import Line

if TYPE_CHECKING:
    from fairway.remote.session import EngineSession

Entry = Mapping[str, Any]

_LOOK_EVERY_S = 1.0
_LOOKS_FOR_A_LOG = 2
_RETRY_S = 2.0
# For so long after somebody looked, a host that was lost is asked again.
_WANTED_S = 90.0
# A journal that was silent for so long has told what was in it.
_QUIET_S = 0.1
_MAX_ENTRIES = 3000
_MAX_CHARACTERS = 4_000_000
_MAX_LOOKS = 3600
_LOG_LINES = 60
_MAX_LINE = 500
_KEPT = 32


@dataclass(frozen=True)
class Look:
    """What visitors met between two looks at the edge, by ``edge`` and slot; ``at`` is the host's own time."""

    at: str
    rates: Mapping[str, Rates | None]


@dataclass(frozen=True)
class Followed:
    """What was heard of a deployment so far.

    ``entries`` are its journal's; ``newest`` is the newest of them, also where there were too many
    to keep. ``error`` is why the host tells nothing now; ``gone`` says that it has no such journal.
    """

    environment: str
    deployment: str
    entries: tuple[Entry, ...] = ()
    newest: Entry | None = None
    looks: tuple[Look, ...] = ()
    log: tuple[str, ...] = ()
    error: FairwayError | None = None
    gone: bool = False

    @property
    def accepted(self) -> Entry:
        """What the host took on; empty as long as that was not heard."""
        return next((entry for entry in self.entries if entry["kind"] == "accepted"), {})

    @property
    def ended(self) -> Entry | None:
        """How it ended, once it has."""
        last = self.entries[-1] if self.entries else None
        return last if last is not None and last["kind"] == "ended" else None


class Follower:
    """Follows one deployment from threads of its own, to its end: whether or not somebody still looks."""

    def __init__(self, environment: str, deployment: str, connect: Callable[[], EngineSession]) -> None:
        self.environment = environment
        self.deployment = deployment
        self._connect = connect
        self._changed = threading.Condition()
        self._version = 0
        self._entries: list[Entry] = []
        self._newest: Entry | None = None
        self._heard = 0
        self._characters = 0
        self._looks: list[Look] = []
        self._log: tuple[str, ...] = ()
        self._error: FairwayError | None = None
        self._gone = False
        self._over = threading.Event()
        self._wake = threading.Event()
        self._wanted_until = 0.0
        self._caught_up = False
        self._engine: EngineSession | None = None
        self._thread: threading.Thread | None = None

    @property
    def version(self) -> int:
        """Count what was heard; another number means that there is something new."""
        return self._version

    @property
    def over(self) -> bool:
        """Whether nothing more will be heard: it has ended, or the host has no journal of it."""
        return self._over.is_set()

    @property
    def gone(self) -> bool:
        """Whether the host said that it has no such journal."""
        return self._gone

    def want(self) -> Follower:
        """Say that somebody looks; it is followed (again), if it is not over."""
        self._wanted_until = monotonic() + _WANTED_S
        with self._changed:
            if not self.over and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._follow, name=f"follow {self.deployment}", daemon=True)
                self._thread.start()
                threading.Thread(target=self._look, name=f"look at {self.deployment}", daemon=True).start()
        return self

    def seen(self) -> Followed:
        """Return what was heard so far."""
        with self._changed:
            return Followed(
                self.environment,
                self.deployment,
                tuple(self._entries),
                self._newest,
                tuple(self._looks),
                self._log,
                self._error,
                self._gone,
            )

    def wait_heard(self, timeout_s: float) -> Followed:
        """Return what was heard; at first, wait a little until what was written before has come."""
        deadline = monotonic() + timeout_s
        with self._changed:
            while not self._caught_up and not self.over and monotonic() < deadline:
                before = self._version
                patience_s = _QUIET_S if before else deadline - monotonic()
                self._changed.wait_for(lambda: self._version != before or self.over, patience_s)  # noqa: B023
                self._caught_up = before > 0 and self._version == before
        return self.seen()

    def stop(self) -> None:
        """End what it does; what the host has accepted goes on."""
        self._over.set()
        self._wake.set()
        engine = self._engine
        if engine is not None:
            engine.hang_up()

    def _follow(self) -> None:
        while not self.over:
            try:
                self._follow_once()
            except FairwayError as error:
                self._fail(error)
            except (OSError, *NONSENSE) as error:
                # Everything a host says is untrusted: whatever it is, the page goes on.
                self._fail(cannot_be_read(error))
            if self.over or monotonic() > self._wanted_until:
                break
            self._wake.wait(_RETRY_S)
            self._wake.clear()

    def _follow_once(self) -> None:
        with self._connect() as engine:
            self._engine = engine
            try:
                engine.call(Operation.FOLLOW, self._hear, deployment=self.deployment, skip=self._heard)
            finally:
                self._engine = None

    def _hear(self, event: dict[str, Any]) -> None:
        entry = event.get("entry")
        if event.get("kind") != "journal" or not isinstance(entry, dict):
            return
        with self._changed:
            if self.over:
                return
            self._heard += 1
            if not isinstance(entry.get("kind"), str):
                return
            self._newest = entry
            ended = entry["kind"] == "ended"
            self._characters += len(repr(entry))
            if (len(self._entries) < _MAX_ENTRIES and self._characters < _MAX_CHARACTERS) or ended:
                self._entries.append(entry)
            self._error = None
            self._note()
            if ended:
                self._over.set()

    def _fail(self, error: FairwayError) -> None:
        with self._changed:
            if self.over:
                return
            self._error = error
            if isinstance(error, Invalid) and not isinstance(error, OtherVersion) and not self._entries:
                self._gone = True
                self._over.set()
            self._note()

    def _look(self) -> None:
        """Look at the edge and at the log, each second while it runs; what cannot be seen is left out."""
        line = Line(self._connect)
        before: Mapping[str, Any] | None = None
        count = 0
        try:
            while not self._over.wait(_LOOK_EVERY_S) and self._thread is not None and self._thread.is_alive():
                try:
                    before = self._look_at_edge(line, before)
                    if count % _LOOKS_FOR_A_LOG == 0:
                        self._read_log(line)
                    self._note_reached()
                except FairwayError:
                    before = None  # told by what follows the journal, where it is the connection
                except (OSError, *NONSENSE):
                    line.close()
                    before = None
                count += 1
        finally:
            line.close()

    def _look_at_edge(self, line: Line, before: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if len(self._looks) >= _MAX_LOOKS:
            return None
        answer = line.call(Operation.EDGE_FIGURES)
        # What is there now is no part of a deployment that has ended, whose journal is only being read.
        if (answer.get("deployment") or {}).get("id") != self.deployment:
            return None
        if before is not None:
            look = Look(str(answer["at"])[:40], rates(before, answer))
            with self._changed:
                self._looks.append(look)
                self._note()
        return answer

    def _read_log(self, line: Line) -> None:
        with self._changed:
            slot = next((one.get("slot") for one in self._entries if one["kind"] == "accepted"), None)
            started = any(one.get("step") == "start" for one in self._entries)
        if slot not in ("blue", "green") or not started:
            return
        lines: list[str] = []

        def keep(event: dict[str, Any]) -> None:
            if event.get("kind") == "log" and len(lines) < _LOG_LINES:
                lines.append(str(event.get("line"))[:_MAX_LINE])

        try:
            line.call(Operation.LOGS, keep, service=f"fairway-app-{slot}", tail=_LOG_LINES, follow=False)
        except Invalid:
            return  # it is not there yet, or no more
        with self._changed:
            if lines and tuple(lines) != self._log:
                self._log = tuple(lines)
                self._note()

    def _note_reached(self) -> None:
        """Take back that the host cannot be reached: the journal may have nothing new to say for a while."""
        with self._changed:
            if isinstance(self._error, Unreachable):
                self._error = None
                self._note()

    def _note(self) -> None:
        self._version += 1
        self._changed.notify_all()


class Followers:
    """The deployments that are followed, so many at most: those looked at least lately are let go."""

    def __init__(self, engine: Callable[[str], EngineSession]) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._each: OrderedDict[tuple[str, str], Follower] = OrderedDict()

    def follow(self, environment: str, deployment: str) -> Follower:
        """Return who follows a deployment; both names were checked."""
        key = (environment, deployment)
        with self._lock:
            follower = self._each.get(key)
            if follower is None or follower.gone:
                follower = Follower(environment, deployment, lambda: self._engine(environment))
                self._each[key] = follower
            self._each.move_to_end(key)
            surplus = [self._each.popitem(last=False)[1] for _ in range(len(self._each) - _KEPT)]
        for one in surplus:
            one.stop()
        return follower.want()

    def stop(self) -> None:
        """End all threads."""
        with self._lock:
            for one in self._each.values():
                one.stop()
