"""One look: ask the front doors, hold the host against its record, write down what was seen, tell what changed.

It may be killed at any moment, and then loses itself alone.
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Callable

from fairway.engine import clock
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.notifications.spawning import spawn_teller
from fairway.engine.watcher.asking import Asker, ask
from fairway.engine.watcher.changes import Change, Changes
from fairway.engine.watcher.deciding import APART_S, Answer, Standing, State, down_words, settle, span, up_words
from fairway.engine.watcher.doors import MINUTE_S, Door
from fairway.engine.watcher.memory import Known, Memory, recall
from fairway.engine.watcher.minutes import Minutes

#: Looks come by a timer, each a little early or late.
_TOLERANCE_S = 30.0

#: What is not as recorded; None when that cannot be told now.
Differences = Callable[[Layout, HostConfig], "tuple[str, ...] | None"]


@dataclass(frozen=True)
class Seen:
    """What a look that began ``at`` has found at a door; ``since`` is when its state was first seen."""

    state: State
    at: str
    since: str
    why: str


def run_look(layout: Layout, host: HostConfig) -> None:
    """Look once, as the timer asks for; another look that still goes on is left alone.

    Raises ``Failed`` when the disk does not take what was seen: the next look then tells it.
    """

    def tell() -> None:
        # Each minute, too, for what could not be told before.
        spawn_teller(layout, outlives=True)

    try:
        with _alone(layout) as free:
            if not free:
                print("another look is going on", file=sys.stderr)
                return
            look(layout, host, tell=tell)
    except OSError as error:
        raise Failed(f"what was seen cannot be written to {layout.watch}", why=str(error)) from None


def look(
    layout: Layout,
    host: HostConfig,
    *,
    asker: Asker = ask,
    differences: Differences | None = None,
    sleep: Callable[[float], None] = clock.sleep,
    tell: Callable[[], None] = lambda: None,
) -> None:
    """Look once. What was seen of the doors is on the disk, and told, before the host itself is looked at.

    Docker may not answer for minutes, and that is when visitors are not served either.
    """
    changes = Changes(layout.changes)
    memory = recall(layout.watch_memory).following(changes.newest_first())
    due = [door for door in host.watch if _due(door, memory.door(door))]
    for door, seen in zip(due, _ask_all(layout, host, due, memory, asker, sleep)):
        if seen is not None:
            memory = _note_door(layout, host, memory, changes, door, seen)
    watched = {door.environment for door in host.watch}
    memory = replace(memory, doors={name: one for name, one in memory.doors.items() if name in watched})
    memory.write(layout.watch_memory)
    tell()
    if host.environment in {door.environment for door in due}:
        noted = _note_drift(layout, host, memory, changes, differences or _differences, sleep)
        if noted != memory:
            noted.write(layout.watch_memory)
            tell()


def _due(door: Door, known: Known) -> bool:
    if known.asked_at is None or door.interval_s <= MINUTE_S:
        return True  # no timer comes more often, and who looks by hand means it
    passed = _seconds(known.asked_at, clock.now())
    return passed is None or not 0 <= passed < door.interval_s - _TOLERANCE_S


def _ask_all(
    layout: Layout,
    host: HostConfig,
    doors: Sequence[Door],
    memory: Memory,
    asker: Asker,
    sleep: Callable[[float], None],
) -> list[Seen | None]:
    """Ask all doors at the same time: one that is down takes its time. None is for what broke the asking itself."""
    seen: list[Seen | None] = [None] * len(doors)

    def visit(place: int, door: Door) -> None:
        target = door.target(_serving_path(layout, host) if door.environment == host.environment else None)
        seen[place] = _visit(target, memory.door(door).standing.state, asker, sleep)

    threads = [threading.Thread(target=visit, args=each) for each in enumerate(doors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def _visit(target: str, before: State, asker: Asker, sleep: Callable[[float], None]) -> Seen:
    """Ask until it is settled how the door is."""
    answers: list[Answer] = []
    began: list[str] = []
    state = None
    while state is None:
        if answers:
            sleep(APART_S)
        began.append(clock.now())
        answers.append(asker(target))
        state = settle(before, answers)
    same = [at for at, answer in zip(began, answers) if answer.good is answers[-1].good]
    return Seen(state, began[0], same[0], answers[-1].why)


def _serving_path(layout: Layout, host: HostConfig) -> str | None:
    """Return the readiness path of what serves here, None before anything does."""
    from fairway.engine.observation import deployment_of
    from fairway.engine.state import read_state

    try:
        state = read_state(layout.state)
        if state.active is None:
            return None
        return deployment_of(layout, host, state.active, state).release.readiness.path
    except (FairwayError, OSError):
        return None


def _note_door(layout: Layout, host: HostConfig, memory: Memory, changes: Changes, door: Door, seen: Seen) -> Memory:
    known = memory.door(door)
    before = known.standing
    if seen.state is not State.UNKNOWN:
        Minutes(layout.minutes(door.environment)).note(clock.parse(seen.at), up=seen.state is State.UP)
    if seen.state is before.state:
        after = replace(before, why=seen.why)
    else:
        after = Standing(seen.state, seen.since, seen.why)
        if before.state is not State.UNKNOWN:
            memory = _tell_door(host, memory, changes, door, before, after)
    return memory.with_door(door.environment, Known(door.url, after, seen.at))


def _tell_door(
    host: HostConfig, memory: Memory, changes: Changes, door: Door, before: Standing, after: Standing
) -> Memory:
    at = after.since or clock.now()
    seconds = _seconds(before.since, at)
    seen_from = host.environment if door.environment != host.environment else None
    if after.state is State.DOWN:
        kind, words = Change.DOWN, down_words(door.environment, door.url, after.why, seen_from=seen_from)
    else:
        kind, words = Change.UP, up_words(door.environment, door.url, seconds, seen_from=seen_from)
    line = changes.append(
        kind,
        at=at,
        environment=door.environment,
        subject=door.url,
        words=words,
        seconds=seconds,
        after=memory.last,
    )
    return replace(memory, last=line.id)


def _note_drift(
    layout: Layout,
    host: HostConfig,
    memory: Memory,
    changes: Changes,
    differences: Differences,
    sleep: Callable[[float], None],
) -> Memory:
    """Tell when the host begins to differ from its record, and when it is as recorded again.

    What is seen once may be about to pass, as a container that Docker starts anew: it is
    looked at twice before it is told.
    """
    begun = clock.now()
    found = differences(layout, host)
    if found is None:
        return memory
    before = memory.drift
    state = State.DOWN if found else State.UP
    if state is before.state:
        return memory
    if state is State.DOWN or before.state is State.DOWN:
        sleep(APART_S)
        found = differences(layout, host)
        if found is None or bool(found) is not (state is State.DOWN):
            return memory
    seconds = _seconds(before.since, begun)
    if state is State.DOWN:
        name = host.environment
        words = f"{name} is not as recorded: {'; '.join(found)}"
        memory = _tell_drift(host, memory, changes, Change.DRIFT, begun, words, seconds)
    elif before.state is State.DOWN:
        lasted = f" after {span(seconds)}" if seconds is not None else ""
        words = f"{host.environment} is as recorded again{lasted}"
        memory = _tell_drift(host, memory, changes, Change.DRIFT_ENDED, begun, words, seconds)
    return replace(memory, drift=Standing(state, begun))


def _tell_drift(
    host: HostConfig, memory: Memory, changes: Changes, kind: Change, at: str, words: str, seconds: float | None
) -> Memory:
    line = changes.append(
        kind, at=at, environment=host.environment, subject="", words=words, seconds=seconds, after=memory.last
    )
    return replace(memory, last=line.id)


def _differences(layout: Layout, host: HostConfig) -> tuple[str, ...] | None:
    """Return what is not as recorded; None while a deployment runs, and when Docker does not answer."""
    from fairway.engine.drift import find_drift
    from fairway.engine.instances.describe import describe_edge
    from fairway.engine.lock import deploying
    from fairway.engine.observation import observe

    if deploying(layout.lock) is not None:
        return None
    try:
        seen = observe(layout, host)
        edge = describe_edge(layout, host)
    except FairwayError as error:
        print(f"the host cannot be held against its record: {error.what}", file=sys.stderr)
        return None
    # One that began meanwhile has changed what was looked at.
    if deploying(layout.lock) is not None:
        return None
    return (*find_drift(seen), *(edge["drift"] if edge else ()))


def _seconds(since: str | None, until: str) -> float | None:
    try:
        return max(0.0, (clock.parse(until) - clock.parse(since)).total_seconds()) if since else None
    except ValueError:
        return None


@contextmanager
def _alone(layout: Layout) -> Iterator[bool]:
    """Say whether no other look goes on; while it lasts, none begins."""
    layout.watch.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(layout.watch / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
