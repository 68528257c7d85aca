"""Keep a host from filling up: remove what its retention does not keep.

It works in short turns, each with the lock, so that a deployment that comes along
waits for seconds at most.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.names import Tag
from fairway.engine.contract.protocol import Outcome
from fairway.engine.hostconfig import HostConfig
from fairway.engine.images import ImageStore
from fairway.engine.inventory import look
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import HOUSEKEEPING, Lock
from fairway.engine.prune import Kind, Plan, There, decide

_TURN_S = 5.0


@dataclass
class Removed:
    """What was removed, the bytes it freed, and what could not be removed."""

    names: dict[Kind, list[str]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    freed_bytes: int = 0
    problems: list[str] = field(default_factory=list)
    in_time: bool = True

    @property
    def anything(self) -> bool:
        """Say whether anything was removed at all."""
        return any(self.names.values())

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        removed = {f"{kind.value}s": names for kind, names in self.names.items()}
        return {"removed": removed, "freed_bytes": self.freed_bytes, "problems": self.problems}


def plan(layout: Layout, host: HostConfig) -> dict[str, Any]:
    """Say what would go, what would stay, and how much that would free; touch nothing."""
    there = look(layout)
    decided = decide(there, host.retention)
    return {
        "goes": [item.as_json() for item in decided.goes],
        "stays": [item.as_json() for item in decided.stays],
        "freed_bytes": decided.freed_bytes(there.images, _layer_sizes(layout, there, decided)),
    }


def tidy(layout: Layout, host: HostConfig, *, by: str) -> Removed:
    """Remove what goes, and put it on the record. Raises ``Locked`` while a deployment runs.

    Looks without the lock first: mostly there is nothing to do, and nobody is to wait for that.
    """
    whole = Removed()
    while decide(look(layout), host.retention).goes:
        lock = Lock.acquire(layout.lock, by=by, purpose=HOUSEKEEPING)
        try:
            turn = _turn(layout, host, by)
        finally:
            lock.release()
        for kind, names in turn.names.items():
            whole.names[kind] += names
        whole.freed_bytes += turn.freed_bytes
        whole.problems = turn.problems
        if turn.in_time or not turn.anything:
            break
        clock.sleep(0.1)  # longer than whoever waits for the lock sleeps between two tries
    return whole


def _turn(layout: Layout, host: HostConfig, by: str) -> Removed:
    begun = clock.monotonic()
    there = look(layout)
    removed = carry_out(layout, there, decide(there, host.retention), until=begun + _TURN_S)
    if removed.anything:
        Ledger(layout.ledger).append(
            action="prune",
            by=by,
            outcome=Outcome.SUCCEEDED.value,
            seconds=round(clock.monotonic() - begun, 3),
            **removed.as_json(),
        )
    return removed


def carry_out(layout: Layout, there: There, decided: Plan, *, until: float) -> Removed:
    """Remove what goes, until the time is up; what cannot be removed is told, and tried again the next time."""
    sizes = _layer_sizes(layout, there, decided)
    removed = Removed()
    for item in decided.goes:
        if item.kind is Kind.IMAGE:
            continue  # it goes with its releases
        if clock.monotonic() > until:
            removed.in_time = False
            break
        try:
            if item.kind is Kind.RELEASE:
                _remove_release(layout, item.name, decided.images[item.name], removed)
            elif item.kind is Kind.DEPLOYMENT:
                shutil.rmtree(layout.deployment(item.name))
            else:
                (layout.engines / item.name).unlink()
        except (FairwayError, OSError) as error:
            removed.problems.append(f"{item.kind.value} {item.name}: {error}")
            continue
        removed.names[item.kind].append(item.name)
    done = {(kind, name) for kind, names in removed.names.items() for name in names}
    carried = Plan(tuple(item for item in decided.goes if (item.kind, item.name) in done), ())
    removed.freed_bytes = carried.freed_bytes(there.images, sizes)
    return removed


def _remove_release(layout: Layout, tag: str, references: tuple[str, ...], removed: Removed) -> None:
    """Remove a release's images and then its directory, which is all that knows them."""
    store = ImageStore(layout)
    for reference in references:
        if reference not in removed.names[Kind.IMAGE]:
            store.remove(reference)
            removed.names[Kind.IMAGE].append(reference)
    shutil.rmtree(layout.release(Tag(tag)))


def _layer_sizes(layout: Layout, there: There, decided: Plan) -> dict[str, list[int]]:
    store = ImageStore(layout)
    going = set(decided.named(Kind.IMAGE))
    sizes = {image.id: store.layer_sizes(image) for image in there.images if going & set(image.references)}
    return {identity: found for identity, found in sizes.items() if found is not None}
