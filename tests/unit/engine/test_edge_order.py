"""What brings the edge's instances to order, decided on what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fairway.engine import clock
from fairway.engine.instances.containers import EdgeContainer
from fairway.engine.instances.describe import describe, edge_drift, edge_notes
from fairway.engine.instances.order import Deed, Seen, decide, in_order
from fairway.engine.instances.record import EdgeRecord, Pending, Running
from fairway.engine.instances.runtime import BASE, Process

LATER = clock.later(3600)
OVER = "2026-01-01T00:00:00.000Z"
UPGRADE = Pending(1, Running("haproxy:3.0", "3.0"), Running("haproxy:3.2", "3.2"), "ada", OVER)


def _container(number: int, *, image: str = "", status: str = "running", at: str = "10:00:00.5") -> EdgeContainer:
    name = f"x-edge-{number}" if number else "x-edge"
    image = image or f"image-{number}"
    started = f"2026-01-01T{at}Z"
    return EdgeContainer(number, name, status, image, f"id-of-{image}", started, "1:1", ("net",), ("127.0.0.1", 80))


def _process(number: int, *, listening: bool = False, sessions: int = 0, revision: str = "r") -> Process:
    return Process(number, "3.0", revision, 100, listening, sessions, 7)


def _seen(record: EdgeRecord, containers: list[EdgeContainer], processes: list[Process]) -> Seen:
    return Seen(record, {c.number: c for c in containers}, {p.number: p for p in processes}, "r")


UPGRADED = EdgeRecord(current=1, last=1)
WELL = _seen(UPGRADED, [_container(0), _container(1)], [_process(0), _process(1, listening=True)])
BASE_ALONE = _seen(EdgeRecord(), [_container(0)], [_process(0, listening=True)])


@pytest.mark.parametrize("seen", [WELL, BASE_ALONE])
def test_an_edge_in_order_is_left_alone(seen: Seen) -> None:
    assert in_order(seen.record, seen.processes)
    assert decide(seen) == []
    assert edge_drift(seen) == []


STORIES = {
    "the base was started anew and listens beside the present one": (
        replace(WELL, processes={0: _process(0, listening=True), 1: _process(1, listening=True)}),
        [(Deed.HAND_OVER, 1)],
    ),
    "the base was started anew long after the present one, which has a dead socket": (
        _seen(
            UPGRADED,
            [_container(0, at="10:00:03"), _container(1, at="10:00:00.99999")],
            [_process(0, listening=True), _process(1, listening=True)],
        ),
        [(Deed.RESTART, 1), (Deed.HAND_OVER, 1)],
    ),
    "both were started by a reboot, in either order": (
        _seen(
            UPGRADED,
            [_container(0, at="10:00:00.6"), _container(1, at="10:00:00.5")],
            [_process(0, listening=True), _process(1, listening=True)],
        ),
        [(Deed.HAND_OVER, 1)],
    ),
    "the base was made anew from the image that is wanted": (
        _seen(
            UPGRADED,
            [_container(0, image="new"), _container(1, image="new")],
            [_process(0, listening=True), _process(1, listening=True)],
        ),
        [(Deed.DROP, 1)],
    ),
    "the base has the image, but reads an older configuration": (
        _seen(
            UPGRADED,
            [_container(0, image="new"), _container(1, image="new")],
            [_process(0, listening=True, revision="older"), _process(1, listening=True)],
        ),
        [(Deed.HAND_OVER, 1)],
    ),
    "the present one is stopped": (
        _seen(UPGRADED, [_container(0), _container(1, status="exited")], [_process(0)]),
        [(Deed.START, 1)],
    ),
    "the present one is stopped and the base was started anew": (
        _seen(UPGRADED, [_container(0), _container(1, status="exited")], [_process(0, listening=True)]),
        [(Deed.START, 1), (Deed.HAND_OVER, 1)],
    ),
    "the present one was removed": (_seen(UPGRADED, [_container(0)], [_process(0)]), [(Deed.MAKE, 1)]),
    "the present one was told to stop by hand": (
        replace(WELL, processes={0: _process(0), 1: _process(1)}),
        [(Deed.RESTART, 1)],
    ),
    "the base is down, and its port with it": (
        _seen(UPGRADED, [_container(0, status="exited"), _container(1)], [_process(1, listening=True)]),
        [],
    ),
    "the record was lost": (replace(WELL, record=EdgeRecord()), [(Deed.ADOPT, 1)]),
    "nobody listens": (_seen(EdgeRecord(), [_container(0)], [_process(0)]), [(Deed.RESTART, 0)]),
    "an instance is on no record": (
        replace(
            WELL,
            containers={**WELL.containers, 4: _container(4)},
            processes={**WELL.processes, 4: _process(4, listening=True)},
        ),
        [(Deed.RETIRE, 4)],
    ),
    "an upgrade was lost before the visitors were moved": (
        _seen(
            EdgeRecord(last=1, pending=UPGRADE),
            [_container(0), _container(1)],
            [_process(0, listening=True), _process(1, listening=True)],
        ),
        [(Deed.UNDO, 1)],
    ),
    "an upgrade was lost before its container was made": (
        _seen(EdgeRecord(last=1, pending=UPGRADE), [_container(0)], [_process(0, listening=True)]),
        [(Deed.UNDO, 1)],
    ),
    "an upgrade was lost with the visitors moved": (
        _seen(
            replace(UPGRADED, pending=UPGRADE),
            [_container(0), _container(1)],
            [_process(0, listening=True), _process(1, listening=True)],
        ),
        [(Deed.FINISH, 1), (Deed.HAND_OVER, 1)],
    ),
    "an upgrade was lost with the old one told to stop": (
        replace(WELL, record=replace(UPGRADED, pending=UPGRADE)),
        [(Deed.FINISH, 1)],
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_what_is_out_of_order_is_brought_to_order(story: str) -> None:
    seen, deeds = STORIES[story]
    assert not in_order(seen.record, seen.processes)
    assert decide(seen) == deeds


@pytest.mark.parametrize(
    ("until", "process", "deeds"),
    [
        (LATER, _process(1, sessions=3), []),
        (LATER, _process(1), [(Deed.REMOVE, 1)]),
        (LATER, None, [(Deed.REMOVE, 1)]),
        (OVER, _process(1, sessions=3), [(Deed.REMOVE, 1)]),
        (LATER, _process(1, sessions=3, listening=True), [(Deed.RETIRE, 1)]),
        (LATER, _process(1, listening=True), [(Deed.RETIRE, 1)]),
    ],
    ids=["busy", "idle", "gone", "out of time", "busy and listening", "listening"],
)
def test_a_draining_instance_goes_when_it_is_idle_or_its_time_is_up(
    until: str, process: Process | None, deeds: list[tuple[Deed, int]]
) -> None:
    containers = [_container(0), _container(1), _container(2)]
    processes = [_process(0), _process(2, listening=True), *([process] if process else [])]
    seen = _seen(EdgeRecord(2, 2).drain(1, until), containers, processes)
    assert decide(seen) == deeds


def test_status_says_what_is_wrong_and_what_will_be_done_about_it() -> None:
    stopped, _ = STORIES["the present one is stopped"]
    assert edge_drift(stopped) == ["the edge: x-edge-1 is down; the next command starts it"]
    gone = replace(WELL, containers={1: _container(1)})
    assert edge_drift(gone) == ["the edge: its container is gone; the next deployment starts it"]


def test_status_notes_what_could_be_renewed() -> None:
    assert edge_notes(WELL, "image-1") == []
    assert edge_notes(WELL, "haproxy:3.2") == [
        "the edge runs image-1, wanted is haproxy:3.2: fairway edge upgrade <environment>"
    ]
    older = replace(BASE_ALONE, processes={BASE: _process(BASE, listening=True, revision="older")})
    assert "the configuration of another version of Fairway" in edge_notes(older, "image-0")[0]


def test_status_describes_each_instance_with_its_part() -> None:
    draining = replace(WELL, processes={0: _process(0, sessions=2), 1: _process(1, listening=True)})
    document = describe(draining, "image-1")
    assert [(i["container"], i["role"], i["connections"]) for i in document["instances"]] == [
        ("x-edge", "draining", 2),
        ("x-edge-1", "listening", 0),
    ]
