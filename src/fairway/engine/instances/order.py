"""Bring the edge's instances to order: the present one serves, the base waits, the rest is gone.

What to do is decided on what was seen alone; :func:`put_in_order` looks and does it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fairway.engine import clock
from fairway.engine.instances.containers import EdgeContainer
from fairway.engine.instances.record import EdgeRecord
from fairway.engine.instances.runtime import BASE, Process

# Docker's clock and the processes' own do not tell apart what happens within this time.
_SAME_TIME = timedelta(seconds=2)


class Deed(enum.Enum):
    """One thing to do about an instance."""

    FINISH = "finish the interrupted upgrade to it"
    UNDO = "undo the interrupted upgrade to it"
    ADOPT = "take it for the present one"
    DROP = "let the base serve in its place"
    MAKE = "make it anew"
    START = "start it"
    RESTART = "start it again"
    HAND_OVER = "have it take the visitors"
    RETIRE = "have it finish what it serves"
    REMOVE = "remove it"


@dataclass(frozen=True)
class Seen:
    """The edge as it was found: the record, the containers, the processes that answer, the file's revision."""

    record: EdgeRecord
    containers: Mapping[int, EdgeContainer]
    processes: Mapping[int, Process]
    revision: str

    def listens(self, number: int) -> bool:
        """Say whether an instance accepts visitors."""
        process = self.processes.get(number)
        return process is not None and process.listening


def in_order(record: EdgeRecord, processes: Mapping[int, Process]) -> bool:
    """Say whether all is well, by what the processes say alone.

    The base is told to stop only when another has its socket, and a base that was
    started since listens: so one that does not listen is still that other's base.
    """
    listening = [number for number, process in processes.items() if process.listening]
    expected = {BASE, record.current}
    return (
        record.pending is None and not record.draining and set(processes) == expected and listening == [record.current]
    )


def decide(seen: Seen) -> list[tuple[Deed, int]]:
    """Return what brings the edge to order, in order. Nothing can be done while the base does not run."""
    base = seen.containers.get(BASE)
    if base is None or not base.running:
        return []
    deeds: list[tuple[Deed, int]] = []
    current = seen.record.current
    pending = seen.record.pending
    if pending is not None:
        deeds.append((Deed.FINISH if pending.number == current else Deed.UNDO, pending.number))
    known = {BASE, current, *(one.number for one in seen.record.draining)} | ({pending.number} if pending else set())
    strangers = sorted(set(seen.containers) - known)
    if current == BASE and not seen.listens(BASE) and pending is None:
        # The record was lost, or the base was told to stop by hand: whoever listens is the one.
        found = [number for number in strangers if seen.listens(number)]
        deeds.append((Deed.ADOPT, found[-1]) if found else (Deed.RESTART, BASE))
        strangers = [number for number in strangers if number not in found[-1:]]
    elif current != BASE:
        deeds += _about_current(seen, base, current)
    deeds += [(Deed.RETIRE, number) for number in strangers]
    deeds += [(Deed.REMOVE, one.number) for one in seen.record.draining if _has_drained(seen, one.number)]
    deeds += [(Deed.RETIRE, one.number) for one in seen.record.draining if _listens_again(seen, one.number)]
    return deeds


def _about_current(seen: Seen, base: EdgeContainer, current: int) -> list[tuple[Deed, int]]:
    container = seen.containers.get(current)
    if container is not None and seen.listens(BASE) and _is_the_same(seen, base, container):
        return [(Deed.DROP, current)]
    deeds = []
    if container is None:
        deeds.append((Deed.MAKE, current))
    elif not container.running or current not in seen.processes:
        deeds.append((Deed.START, current))
    elif (seen.listens(BASE) and _older(container, base)) or not seen.listens(current):
        deeds.append((Deed.RESTART, current))
    if seen.listens(BASE):
        deeds.append((Deed.HAND_OVER, current))
    return deeds


def _is_the_same(seen: Seen, base: EdgeContainer, container: EdgeContainer) -> bool:
    """Say whether the base was made anew since, and has all that the present instance was started for."""
    return base.image_id == container.image_id and seen.processes[BASE].revision == seen.revision


def _older(container: EdgeContainer, base: EdgeContainer) -> bool:
    """Say whether an instance was started so long before the base that it has another base's socket."""
    return started(base) - started(container) > _SAME_TIME


def started(container: EdgeContainer) -> datetime:
    """Return when a container was started."""
    # Docker writes as many digits of the nanoseconds as there are; Python 3.9 reads microseconds.
    whole, _, fraction = container.started_at.rstrip("Z").partition(".")
    return clock.parse(f"{whole}.{fraction[:6] or '0'}Z")


def _has_drained(seen: Seen, number: int) -> bool:
    process = seen.processes.get(number)
    overdue = any(one.overdue for one in seen.record.draining if one.number == number)
    return process is None or overdue or (process.sessions == 0 and not process.listening)


def _listens_again(seen: Seen, number: int) -> bool:
    return seen.listens(number) and not _has_drained(seen, number)
