"""Do what brings the edge's instances to order. Call with the host's lock held."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

from fairway.engine import clock
from fairway.engine.contract.errors import Failed, FairwayError, Locked
from fairway.engine.contract.names import Slot
from fairway.engine.contract.protocol import Outcome
from fairway.engine.edge import config_revision
from fairway.engine.hostconfig import HostConfig
from fairway.engine.instances.containers import EdgeContainers
from fairway.engine.instances.handover import await_process, hand_over, open_up
from fairway.engine.instances.order import Deed, Seen, decide, in_order
from fairway.engine.instances.record import Pending, read_record
from fairway.engine.instances.runtime import BASE, Gone, ask, directory, look_at_all, stop_accepting
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock
from fairway.engine.releases import load_release
from fairway.engine.spawn import spawn_logging_to
from fairway.engine.state import read_state

Notice = Callable[[str], None]

ACTION = "edge-upgrade"
#: A kept connection learns with its next answer that its process ends; without one it closes after 75 s by itself.
MIN_DRAIN_S = 90.0

_LOOK_EVERY_S = 1.0
_LOST = Failed("the engine was lost in the middle of it", hint="it was undone by the next command; upgrade again")


def put_in_order(layout: Layout, host: HostConfig, notice: Notice) -> None:
    """Bring the edge's instances to order; say what had to be done, and nothing when all is well.

    Raises nothing of Fairway's: an edge out of order is told, and stops no command.
    """
    if not (layout.edge / "haproxy.cfg").exists():
        return
    try:
        EdgeContainers(layout, host).remove_trial()
        if not in_order(read_record(layout.edge_record), look_at_all(layout.edge_run)):
            Settling(layout, host, notice).settle()
    except FairwayError as error:
        notice(f"the edge could not be put in order: {error}")


def look_at_edge(layout: Layout, host: HostConfig) -> Seen:
    """Look at the edge as a whole. Raises ``Unreachable`` when Docker does not answer."""
    return Seen(
        record=read_record(layout.edge_record),
        containers=EdgeContainers(layout, host).find(),
        processes=look_at_all(layout.edge_run),
        revision=wanted_revision(layout),
    )


def wanted_revision(layout: Layout) -> str:
    """Return the revision of the configuration that this engine writes for the release that serves."""
    active = read_state(layout.state).active
    return config_revision(load_release(layout, active.tag).release.compose.app_port) if active else ""


class Settling:
    """Does one deed after the other, writing the record after each, so that a crash in between is settled alike."""

    def __init__(self, layout: Layout, host: HostConfig, notice: Notice) -> None:
        self._layout = layout
        self._host = host
        self._notice = notice
        self._containers = EdgeContainers(layout, host)
        self._seen = look_at_edge(layout, host)
        self._record = self._seen.record

    def settle(self) -> None:
        """Do what there is to do, then leave a process behind that sees the draining instances out."""
        doings: dict[Deed, Callable[[int], None]] = {
            Deed.FINISH: self._finish,
            Deed.UNDO: lambda number: self.undo(_LOST),
            Deed.ADOPT: self._adopt,
            Deed.DROP: self._drop,
            Deed.MAKE: self._make,
            Deed.START: self._start,
            Deed.RESTART: self._restart,
            Deed.HAND_OVER: self._hand_over,
            Deed.RETIRE: self._retire,
            Deed.REMOVE: self._remove,
        }
        for deed, number in decide(self._seen):
            doings[deed](number)
            self._record.write(self._layout.edge_record)
        if self._record.draining:
            see_out_in_background(self._layout)

    def _finish(self, number: int) -> None:
        pending = self._record.pending
        assert pending is not None
        self._containers.keep(number)
        finish(self._layout, self._host, pending, None)
        self._record = replace(self._record, pending=None)
        self._notice(f"finished the interrupted upgrade of the edge to {pending.after}")

    def undo(self, error: FairwayError) -> None:
        """Take an upgrade that did not come to its end back: the old process goes on, the new one ends."""
        pending = self._record.pending
        assert pending is not None
        if self._record.current in self._seen.processes:
            open_up(self._layout.edge_run, self._record.current)
        self._retire(pending.number)
        finish(self._layout, self._host, pending, error)
        self._record = replace(self._record, pending=None)
        self._record.write(self._layout.edge_record)
        if self._record.draining:
            see_out_in_background(self._layout)
        self._notice(f"undid the upgrade of the edge to {pending.after}")

    def _adopt(self, number: int) -> None:
        self._record = replace(self._record, current=number, last=max(number, self._record.last))
        self._notice(f"{self._containers.name(number)} serves and is on record again")

    def _drop(self, number: int) -> None:
        self._record = replace(self._record, current=BASE)
        self._retire(number)

    def _make(self, number: int) -> None:
        self._notice(f"{self._containers.name(number)} is gone: making it anew from {self._host.edge_image}")
        self._bring_up(
            number,
            lambda: self._containers.start(number, self._host.edge_image, self._seen.containers[BASE]),
        )

    def _start(self, number: int) -> None:
        self._notice(f"{self._containers.name(number)} is down: starting it")
        self._bring_up(number, lambda: self._containers.start_again(number))

    def _restart(self, number: int) -> None:
        if number != BASE:
            self._bring_up(number, lambda: self._containers.restart(number))
            return
        self._notice(f"{self._containers.name(BASE)} takes no visitors: starting it again")
        self._containers.restart(BASE)
        await_process(self._containers, self._layout.edge_run, BASE)

    def _bring_up(self, number: int, begin: Callable[[], None]) -> None:
        """Have the present instance listen, or the base if that fails."""
        try:
            begin()
            await_process(self._containers, self._layout.edge_run, number)
            self._containers.keep(number)
        except FairwayError as error:
            self._fall_back(number, error)

    def _hand_over(self, number: int) -> None:
        if self._record.current != number:
            return  # it did not come up, and the base serves
        published = self._seen.containers[BASE].published
        try:
            try:
                hand_over(self._layout.edge_run, BASE, number, published)
            except Failed:
                # It may have the socket of a base that is no more.
                self._containers.restart(number)
                await_process(self._containers, self._layout.edge_run, number)
                hand_over(self._layout.edge_run, BASE, number, published)
        except FairwayError as error:
            self._fall_back(number, error)

    def _fall_back(self, number: int, error: FairwayError) -> None:
        """Have the base serve, whatever that costs now: it is that or nothing."""
        self._notice(f"{self._containers.name(number)} does not come up, so the base serves again: {error.what}")
        self._record = replace(self._record, current=BASE)
        self._containers.remove(number)
        if not self._seen.listens(BASE):
            self._containers.restart(BASE)
            await_process(self._containers, self._layout.edge_run, BASE)

    def _retire(self, number: int) -> None:
        self._containers.let_go(number)
        try:
            stop_accepting(self._layout.edge_run, number)
        except Gone:
            self._remove(number)
            return
        self._record = self._record.drain(number, clock.later(drain_s(self._layout)))

    def _remove(self, number: int) -> None:
        close_what_is_left(self._layout, number)
        self._containers.remove(number)
        self._record = self._record.without([number])


def drain_s(layout: Layout) -> float:
    """Return how long an instance may finish what it serves."""
    active = read_state(layout.state).active
    own = load_release(layout, active.tag).release.drain_timeout_s if active else 0.0
    return max(own, MIN_DRAIN_S)


def close_what_is_left(layout: Layout, number: int) -> None:
    """End what an instance still serves, in order rather than by its death."""
    for slot in Slot:
        try:
            ask(directory(layout.edge_run, number), f"shutdown sessions server app/{slot.value}")
        except Failed:
            return


def finish(layout: Layout, host: HostConfig, pending: Pending, error: FairwayError | None) -> dict[str, Any]:
    """Write down how an upgrade ended; one that succeeded is what the host wants from now on."""
    if error is None:
        replace(host, edge_image=pending.after.image).write(layout.host_config)
    entries = Ledger(layout.ledger).entries()
    if entries and entries[-1].get("begun") == pending.begun:
        return entries[-1]  # the engine was lost between this entry and the record
    return record_upgrade(layout, pending, error)


def record_upgrade(layout: Layout, pending: Pending, error: FairwayError | None) -> dict[str, Any]:
    """Add an attempt to the ledger and return the entry."""
    took = clock.parse(clock.now()) - clock.parse(pending.begun)
    return Ledger(layout.ledger).append(
        action=ACTION,
        by=pending.by,
        begun=pending.begun,
        outcome=(Outcome.FAILED if error else Outcome.SUCCEEDED).value,
        seconds=round(took.total_seconds(), 3),
        **{"from": pending.before.as_json(), "to": pending.after.as_json()},
        **({"error": error.as_json()} if error else {}),
    )


def see_out_in_background(layout: Layout) -> None:
    """Leave a process behind that removes the draining instances when they have drained."""
    spawn_logging_to(layout.edge / "engine.log", "edge-drain")


def see_out(layout: Layout, host: HostConfig) -> None:
    """Wait until no instance drains any more, removing each when it has."""
    while (record := read_record(layout.edge_record)).draining:
        processes = look_at_all(layout.edge_run)
        if any(one.overdue or not _serves(processes.get(one.number)) for one in record.draining):
            try:
                lock = Lock.acquire(layout.lock, by="fairway", purpose="removing a drained edge process")
            except Locked:
                clock.sleep(_LOOK_EVERY_S)
                continue
            try:
                put_in_order(layout, host, print)
            finally:
                lock.release()
        clock.sleep(_LOOK_EVERY_S)


def _serves(process: Any) -> bool:
    return process is not None and process.sessions > 0
