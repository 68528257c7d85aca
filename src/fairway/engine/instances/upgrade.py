"""Replace the edge's HAProxy by another image, or have it read its configuration anew, while it serves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

from fairway.engine import clock
from fairway.engine.accept import settle
from fairway.engine.contract.errors import Failed, FairwayError, Refused
from fairway.engine.contract.names import Slot, Tag
from fairway.engine.contract.protocol import Outcome
from fairway.engine.edge import Edge, render_config
from fairway.engine.hostconfig import HostConfig
from fairway.engine.instances.containers import EdgeContainer, EdgeContainers
from fairway.engine.instances.handover import await_process, hand_over
from fairway.engine.instances.order import Seen
from fairway.engine.instances.record import Pending, Running, read_record
from fairway.engine.instances.runtime import BASE
from fairway.engine.instances.settling import (
    Settling,
    drain_s,
    finish,
    look_at_edge,
    put_in_order,
    record_upgrade,
    see_out_in_background,
)
from fairway.engine.journal import Mark
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock
from fairway.engine.releases import load_release
from fairway.engine.state import read_state

Notice = Callable[[str], None]
Tell = Callable[[dict[str, Any]], None]

_UNKNOWN = "unknown"
_TRIAL_PATIENCE_S = 15.0
_LOOK_EVERY_S = 0.1
_TELL_EVERY_S = 1.0


def upgrade_edge(
    layout: Layout, host: HostConfig, image: str | None, *, by: str, notice: Notice, tell: Tell
) -> dict[str, Any]:
    """Have the edge run this image, by default the host's own, with this engine's configuration.

    Returns the ledger's entry, or only the outcome when nothing had to change.
    Raises ``Locked`` when something else runs, ``Refused`` when the image is not
    usable, ``Failed`` when its process did not come up; the old one then goes on.
    """
    lock = Lock.acquire(layout.lock, by=by, purpose="edge upgrade")
    try:
        settle(layout, host, notice)
        return _Upgrade(layout, host, image or host.edge_image, by, tell).carry_out()
    finally:
        lock.release()


def plan_upgrade(layout: Layout, host: HostConfig, image: str | None) -> dict[str, Any]:
    """Return what :func:`upgrade_edge` would do."""
    return _Upgrade(layout, host, image or host.edge_image, "", lambda entry: None).plan()


def running(seen: Seen, number: int) -> Running:
    """Return what an instance runs: the image its container was made from, and the version its process tells."""
    container, process = seen.containers.get(number), seen.processes.get(number)
    return Running(container.image if container else _UNKNOWN, process.version if process else _UNKNOWN)


class _Upgrade:
    """One upgrade: everything it needs to know, and its steps."""

    def __init__(self, layout: Layout, host: HostConfig, image: str, by: str, tell: Tell) -> None:
        self._layout = layout
        self._host = host
        self._by = by
        self._tell = tell
        self._containers = EdgeContainers(layout, host)
        self._edge = Edge(layout.edge, layout.edge_run)
        self._release = load_release(layout, _recorded_tag(layout)).release
        self._seen = look_at_edge(layout, host)
        self._base = _running_base(self._seen)
        self._slot = _served_slot(self._edge)
        self._before = running(self._seen, self._seen.record.current)
        self._after = Running(image, _UNKNOWN)
        self._begun = clock.now()

    def plan(self) -> dict[str, Any]:
        """Return what would be done, without doing it."""
        image = self._after.image
        here = self._containers.image_id(image)
        version = self._containers.version(image) if here else None
        renews = not self._reads_this_configuration
        return {
            "from": self._before.as_json(),
            "to": {"image": image, "version": version},
            "unchanged": here is not None and here == self._image_id_of_current and not renews,
            "steps": [
                {"name": "image", "plan": f"ask the registry for {image}" + ("; it is on the host" if here else "")},
                {
                    "name": "check",
                    "plan": f"have it read the configuration, which is {'new' if renews else 'the same'}",
                },
                {"name": "trial", "plan": f"start it where no visitor comes and ask {self._slot.value} through it"},
                {"name": "take over", "plan": f"have it take the listening socket of {self._base.name} over"},
            ],
        }

    def carry_out(self) -> dict[str, Any]:
        """Go through the steps; on failure leave the edge as it was, on the record."""
        try:
            self._step("image", self._provide)
            if self._is_unchanged:
                replace(self._host, edge_image=self._after.image).write(self._layout.host_config)
                return {"outcome": Outcome.UNCHANGED.value, "to": self._after.as_json()}
            self._step("check", self._check)
            self._step("trial", self._try_out)
            self._step("take over", self._take_over)
        except FairwayError as error:
            if self._give_up(error):
                raise
        return self._conclude()

    def _provide(self) -> str:
        image = self._after.image
        refusal = self._containers.pull(image, lambda line: self._progress("image", line))
        if self._containers.image_id(image) is None:
            raise Failed(
                f"{image} is neither on the host nor in its registry",
                why=refusal or "",
                hint="see whether the name is right and the host reaches the registry",
            )
        self._after = Running(image, self._containers.version(image))
        return f"{self._after}{', as it is on the host: ' + refusal if refusal else ''}"

    def _check(self) -> str:
        self._containers.check_config(self._after.image, self._config)
        return "it takes the configuration"

    def _try_out(self) -> str:
        """Have the image serve where no visitor comes, and ask the slot that serves through it."""
        path = self._release.readiness.path
        expected = self._edge.probe(self._slot, path)
        try:
            trial = Edge(self._layout.edge, self._containers.start_trial(self._after.image, self._config, self._base))
            deadline = clock.monotonic() + _TRIAL_PATIENCE_S
            while not trial.answers() or trial.probe(self._slot, path).status != expected.status:
                if self._containers.trial_ended() or clock.monotonic() > deadline:
                    raise Failed(
                        f"{self._after.image} does not serve as the edge does",
                        why=self._containers.trial_log() or "it said nothing",
                        hint="no visitor has met it; the edge goes on as before",
                    )
                clock.sleep(_LOOK_EVERY_S)
            if trial.active() is not self._slot:
                raise Failed(f"{self._after.image} would send visitors elsewhere", why=f"it says {trial.stats()}")
        finally:
            self._containers.remove_trial()
        return f"{self._slot.value} answers {expected.status} through it"

    def _take_over(self) -> str:
        self._await_drained()
        record = read_record(self._layout.edge_record)
        old, new = record.current, max(record.last, *self._containers.find()) + 1
        pending = Pending(new, self._before, self._after, self._by, self._begun)
        record = replace(record, last=new, pending=pending)
        self._edge.write_config(self._release.compose.app_port, self._slot)
        record.write(self._layout.edge_record)
        self._containers.start(new, self._after.image, self._base)
        process = await_process(self._containers, self._layout.edge_run, new)
        self._progress("take over", f"{self._containers.name(new)} listens beside {self._containers.name(old)}")

        def commit() -> None:
            self._containers.keep(new)
            committed = replace(record, current=new)
            if old != BASE:
                committed = committed.drain(old, clock.later(drain_s(self._layout)))
            committed.write(self._layout.edge_record)

        hand_over(self._layout.edge_run, old, new, self._base.published, commit)
        if old != BASE:
            self._containers.let_go(old)
        return f"{self._before.version} -> {process.version}, in {self._containers.name(new)}"

    def _await_drained(self) -> None:
        """Wait for an instance that still drains: there is never more than one of those."""
        told = 0.0
        while (record := read_record(self._layout.edge_record)).draining:
            put_in_order(self._layout, self._host, lambda line: self._progress("take over", line))
            if clock.monotonic() - told >= _TELL_EVERY_S:
                one = record.draining[0]
                name = self._containers.name(one.number)
                self._progress("take over", f"{name} finishes what it serves, until {one.until[11:19]} at the latest")
                told = clock.monotonic()
            clock.sleep(_LOOK_EVERY_S)

    def _conclude(self) -> dict[str, Any]:
        record = read_record(self._layout.edge_record)
        if record.pending is None:
            return Ledger(self._layout.ledger).entries()[-1]
        entry = finish(self._layout, self._host, record.pending, None)
        record = replace(record, pending=None)
        record.write(self._layout.edge_record)
        if record.draining:
            see_out_in_background(self._layout)
        return entry

    def _give_up(self, error: FairwayError) -> bool:
        """Undo what was begun and write the failure down; say no when the new process serves already."""
        record = read_record(self._layout.edge_record)
        if record.pending is None:
            record_upgrade(self._layout, Pending(BASE, self._before, self._after, self._by, self._begun), error)
            return True
        if record.current == record.pending.number:
            put_in_order(self._layout, self._host, lambda line: self._progress("take over", line))
            return False
        Settling(self._layout, self._host, lambda line: self._progress("take over", line)).undo(error)
        return True

    @property
    def _config(self) -> str:
        return render_config(self._release.compose.app_port, self._slot)

    @property
    def _reads_this_configuration(self) -> bool:
        process = self._seen.processes.get(self._seen.record.current)
        return process is not None and process.revision == self._seen.revision

    @property
    def _image_id_of_current(self) -> str | None:
        container = self._seen.containers.get(self._seen.record.current)
        return container.image_id if container else None

    @property
    def _is_unchanged(self) -> bool:
        return self._reads_this_configuration and (
            self._containers.image_id(self._after.image) == self._image_id_of_current
        )

    def _step(self, name: str, work: Callable[[], str]) -> None:
        """Do one step and tell the client of it, in the words of a deployment's journal."""
        begun = clock.monotonic()
        self._tell({"kind": "step", "step": name, "mark": Mark.STARTED.value})
        try:
            mark, message = Mark.DONE, work()
        except FairwayError as error:
            self._tell_end(name, Mark.FAILED, error.what, begun)
            raise
        self._tell_end(name, mark, message, begun)

    def _tell_end(self, name: str, mark: Mark, message: str, begun: float) -> None:
        seconds = round(clock.monotonic() - begun, 3)
        self._tell({"kind": "step", "step": name, "mark": mark.value, "message": message, "seconds": seconds})

    def _progress(self, name: str, message: str) -> None:
        self._tell({"kind": "progress", "step": name, "message": message})


def _running_base(seen: Seen) -> EdgeContainer:
    base = seen.containers.get(BASE)
    if base is None or not base.running or BASE not in seen.processes:
        raise Refused(
            "the edge is not running on this host",
            why="the container that publishes the port is down or does not answer",
            hint="deploy: that starts the edge, from the image that is wanted",
        )
    return base


def _served_slot(edge: Edge) -> Slot:
    slot = edge.active()
    if slot is None:
        raise Refused(
            "the edge sends visitors to no slot, or not to one alone",
            why=f"it says {edge.stats()}",
            hint="fairway status <environment> shows what is wrong; bring that to order first",
        )
    return slot


def _recorded_tag(layout: Layout) -> Tag:
    active = read_state(layout.state).active
    if active is None:
        raise Refused(
            "nothing serves on this host yet",
            why="the edge is started by the first deployment",
            hint="fairway deploy <environment> <tag>",
        )
    return active.tag
