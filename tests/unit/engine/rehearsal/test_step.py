"""What a rehearsal decides about its deployment: whether it goes on, and what is on the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fairway.engine.accept import settle
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.manifest import Release
from fairway.engine.contract.names import Slot, Tag
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock
from fairway.engine.rehearsal import ending, removal
from fairway.engine.rehearsal.report import Asked, Rehearsed
from tests.unit.engine.test_recovery import HOST, Scene, scene

BEFORE = Tag("sha-" + "a1" * 20)
FAILS = Failed("in the rehearsal the migration failed (exit code 1)", why="ERROR: it is there already")


def _shown(*, ready: bool = True) -> Rehearsed:
    asked = Asked(BEFORE, ready=ready, smoke=None, said="503: no such column")
    return Rehearsed("20260131-120000-000000", {"copy": 1.0, "migrate": 0.5}, (), False, (), asked)


def _entry(host: Scene) -> dict[str, Any]:
    (entry,) = Ledger(host.layout.ledger).entries()
    return entry


@pytest.mark.parametrize("under_way", [False, True])
def test_what_an_engine_that_was_lost_has_left_goes_and_what_is_under_way_stays(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, under_way: bool
) -> None:
    removed: list[str] = []
    monkeypatch.setattr(ending, "remove_all", lambda layout, containers, project: removed.append(project))
    removal.directory(layout, "20260131-120000-000000").mkdir(parents=True)
    layout.backups.mkdir()
    lock = Lock.acquire(removal.lock_of(layout), by="ada", purpose="rehearsal") if under_way else None
    settle(layout, HOST, lambda line: None)
    assert removed == ([] if under_way else [HOST.project])
    if lock is not None:
        lock.release()


@pytest.mark.parametrize(("shows", "says"), [(FAILS, FAILS.what), (_shown(ready=False), "is not ready on what")])
def test_a_rehearsal_that_fails_ends_the_deployment_before_anything_is_migrated(
    release: Release, shows: Rehearsed | FairwayError, says: str
) -> None:
    with scene(release) as host:
        host.world.rehearsed = shows
        host.run(lost_at=None)
        assert host.check_legal() is Slot.BLUE
        assert host.world.migrations_run == 0
        entry = _entry(host)
        assert (entry["outcome"], entry["rehearsal"]["outcome"]) == ("failed", "failed")
        assert says in entry["error"]["what"]
        assert "rehearse" not in entry["steps"]


def test_what_it_has_shown_is_on_the_record_of_the_deployment(release: Release) -> None:
    with scene(release) as host:
        host.world.rehearsed = _shown()
        host.run(lost_at=None)
        assert host.check_legal() is Slot.GREEN
        assert _entry(host)["rehearsal"] == {"outcome": "passed", **_shown().as_json()}


def test_a_forced_deployment_goes_on_and_the_record_has_why(release: Release) -> None:
    with scene(release) as host:
        host.request = replace(host.request, forced="the old one is going away tonight")
        host.world.rehearsed = FAILS
        host.run(lost_at=None)
        assert host.check_legal() is Slot.GREEN
        assert host.world.migrations_run == 1
        entry = _entry(host)
        assert entry["rehearsal"] == {"outcome": "failed", "why": FAILS.what}
        assert entry["forced"] == {
            "reason": "the old one is going away tonight",
            "over": [f"rehearse: {FAILS.what}"],
        }
