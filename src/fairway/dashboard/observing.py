"""Ask every host again and again, and keep what it said, so that no page waits for a host.

A host is asked while somebody looks, and left alone otherwise.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from fairway.dashboard.nonsense import NONSENSE, cannot_be_read
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.protocol import Operation
from fairway.remote.line import Line

if TYPE_CHECKING:
    from fairway.remote.session import EngineSession

_EVERY_S = 5.0
# With a deployment going on there is more to see.
_EVERY_BUSY_S = 1.0
# For so long after a page was asked for somebody is taken to look.
_LOOKED_AT_S = 90.0
_NEW_ENTRIES = 50
# More than a host has in years; however much one says, it is not kept.
_MOST_ENTRIES = 20_000

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Sight:
    """What is known of an environment.

    ``status`` is what its host last answered, at ``answered_at``; ``error`` is why the
    newest question got no answer, None when it did. ``entries`` is the host's record,
    the oldest first, without what is older than anybody looks back.
    """

    environment: str
    status: Mapping[str, Any] | None = None
    answered_at: datetime | None = None
    error: FairwayError | None = None
    entries: tuple[Entry, ...] = ()

    @property
    def heard(self) -> bool:
        """Whether the host has ever answered: else that nothing is known of it says nothing."""
        return self.answered_at is not None


class Observer:
    """Looks at one environment from a thread of its own."""

    def __init__(self, environment: str, connect: Callable[[], EngineSession], tell: Callable[[], None]) -> None:
        self._line = Line(connect)
        self._tell = tell
        self._sight = Sight(environment)
        self._wanted_until = 0.0
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=f"observer of {environment}", daemon=True)

    @property
    def sight(self) -> Sight:
        """Return what is known now, and have it kept fresh for a while."""
        self.want()
        return self._sight

    def want(self) -> None:
        """Say that somebody looks."""
        idle = monotonic() > self._wanted_until
        self._wanted_until = monotonic() + _LOOKED_AT_S
        if idle:
            self._wake.set()

    def look_now(self) -> None:
        """Have the host asked at once: something was just done there."""
        self._wanted_until = monotonic() + _LOOKED_AT_S
        self._wake.set()

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a question on its way is not waited for long."""
        self._ended = True
        self._line.hang_up()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._ended:
            if monotonic() > self._wanted_until:
                self._line.close()
                self._wake.wait()
            self._wake.clear()
            if self._ended:
                break
            before = self._sight
            self._sight = self._look(before)
            self._tell()
            busy = bool((self._sight.status or {}).get("deploying"))
            self._wake.wait(_EVERY_BUSY_S if busy else _EVERY_S)
        self._line.close()

    def _look(self, before: Sight) -> Sight:
        try:
            status = self._line.call(Operation.STATUS)
            entries = self._read_record(before.entries)
        except FairwayError as error:
            return replace(before, error=error)
        except (OSError, *NONSENSE) as error:
            # Everything a host says is untrusted: whatever it is, the page goes on.
            self._line.close()
            return replace(before, error=cannot_be_read(error))
        return replace(before, status=status, answered_at=datetime.now(UTC), error=None, entries=entries)

    def _read_record(self, known: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Return the record with what has come since; all of it where that cannot be told."""
        if known:
            newest = self._line.call(Operation.HISTORY, limit=_NEW_ENTRIES)["entries"]
            last = int(known[-1].get("n") or 0)
            came = sorted((one for one in newest if int(one.get("n") or 0) > last), key=lambda one: int(one["n"]))
            if not came:
                return known
            if int(came[0]["n"]) == last + 1:
                return (*known, *came)[-_MOST_ENTRIES:]
        found: deque[Entry] = deque(maxlen=_MOST_ENTRIES)

        def keep(event: Mapping[str, Any]) -> None:
            if event.get("kind") == "entry" and isinstance(event.get("entry"), dict):
                found.append(event["entry"])

        self._line.call(Operation.LEDGER, keep)
        return tuple(found)


class Observers:
    """The observers of all environments, in their order of promotion."""

    def __init__(self, names: tuple[str, ...], engine: Callable[[str], EngineSession]) -> None:
        self._changed = threading.Condition()
        self._version = 0
        #: Whether the dashboard is about to end.
        self.hung_up = False
        self.each = {
            name: Observer(name, lambda name=name: engine(name), self.note)  # type: ignore[misc]
            for name in names
        }

    @property
    def version(self) -> int:
        """Count what has been heard; another number means that something may be new."""
        return self._version

    def sights(self) -> tuple[Sight, ...]:
        """Return what is known of every environment."""
        return tuple(one.sight for one in self.each.values())

    def start(self) -> None:
        """Begin to look at all of them."""
        for one in self.each.values():
            one.start()

    def stop(self) -> None:
        """End all threads, and every wait."""
        self.hang_up()
        for one in self.each.values():
            one.stop()

    def hang_up(self) -> None:
        """Have everybody who waits go on: the dashboard is about to end."""
        with self._changed:
            self.hung_up = True
            self._changed.notify_all()

    def wait(self, version: int, timeout_s: float) -> int:
        """Wait until something was heard after ``version``, or for so long; return the version now."""
        with self._changed:
            self._changed.wait_for(lambda: self.hung_up or self._version != version, timeout_s)
            return self._version

    def note(self) -> None:
        """Say that something new is known."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()
