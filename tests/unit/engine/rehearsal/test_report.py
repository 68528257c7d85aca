"""What was seen in a rehearsal, and what it means: locks and times from samples, the copy's source, the verdict."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace

import pytest

from fairway.engine.backups.store import Backup, Reason
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.manifest import Migration, Migrations, MigratorKind, Verdict
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.rehearsal.locks import Sample, Took, add, locks_of, steps_of
from fairway.engine.rehearsal.report import Asked, brought, contracts, recorded
from fairway.engine.rehearsal.source import choose, refuse_full
from fairway.engine.schema.tables import Table
from fairway.engine.steps.rehearse import judge

TAG = Tag("sha-" + "4f" * 20)
OTHER = Tag("sha-" + "5e" * 20)


def _sample(at_s: float, *locks: tuple[int, str, str, bool, bool], applied: tuple[str, ...] | None = None) -> Sample:
    return Sample.parse(at_s, json.dumps({"sessions": 1, "locks": locks}), applied)


ALTERS = (7, "people", "AccessExclusiveLock", True, False)
WAITS = (7, "people", "AccessExclusiveLock", False, True)
INDEXES = (7, "orders", "ShareLock", True, False)


def test_a_lock_is_held_from_the_sample_it_is_first_seen_in_to_the_one_it_is_gone_in() -> None:
    samples = [_sample(0.0), _sample(0.1, WAITS), _sample(0.4, ALTERS), _sample(1.0, ALTERS, INDEXES), _sample(1.2)]
    people, orders = locks_of(samples, 0.05)
    assert (people.relation, round(people.held_s, 3), round(people.waited_s, 3)) == ("people", 0.8, 0.3)
    assert people.words == (
        "ACCESS EXCLUSIVE on people: held 800 ms, reads and writes would have waited;"
        " waited 300 ms for the release before"
    )
    assert (orders.mode, round(orders.held_s, 3), orders.as_json()["blocks"]) == ("ShareLock", 0.2, "writes")


def test_two_sessions_of_a_migrator_do_not_hold_a_lock_twice_and_a_weak_lock_is_told_only_when_waited_for() -> None:
    weak = (7, "people", "RowExclusiveLock", True, False)
    behind = (8, "people", "AccessShareLock", False, False)
    samples = [_sample(0.0, INDEXES, (8, *INDEXES[1:]), weak, behind), _sample(1.0)]
    assert {(one.mode, one.held_s, one.waited_s) for one in locks_of(samples, 0.05)} == {
        ("ShareLock", 1.0, 0.0),
        ("AccessShareLock", 0.0, 1.0),
    }


def test_what_is_in_the_last_sample_only_was_held_for_about_one_interval() -> None:
    assert locks_of([_sample(5.0, ALTERS)], 0.05)[0].held_s == 0.05


def test_what_does_not_change_is_kept_once_and_lasts_as_long() -> None:
    kept: list[Sample] = []
    for at in range(100):
        add(kept, _sample(float(at), ALTERS, applied=("1",) if at % 4 == 0 else None), last=at == 99)
    assert len(kept) == 2
    assert locks_of(kept, 1.0)[0].held_s == 100.0
    add(kept, _sample(100.0, ALTERS, applied=("1", "2")), last=False)
    assert len(kept) == 3


def test_migrations_are_measured_from_one_to_the_next_and_together_where_they_came_together() -> None:
    quiet = Sample(0.0, (), 0, ("1",))
    samples = [
        quiet,
        _sample(2.0),
        _sample(3.0, applied=("1", "2")),
        _sample(3.5, applied=("1", "2", "3", "4")),
        _sample(4.0, applied=("1", "2", "3", "4")),
    ]
    assert steps_of(samples) == (Took(("2",), 1.0), Took(("3", "4"), 0.5))


def test_a_tool_that_keeps_the_times_is_believed_more_than_a_look_from_outside() -> None:
    def row(name: str, begun: str, ended: str | None) -> dict[str, object]:
        times = {"started_at": begun, "finished_at": ended, "rolled_back_at": None}
        return {"migration_name": name, "logs": None, **times}

    rows = (
        row("old", "2026-01-31T12:00:00+00:00", "2026-01-31T12:00:09+00:00"),
        row("a", "2026-01-31T12:00:00.5+00:00", "2026-01-31T12:00:02.123456+00:00"),
        row("b", "2026-01-31T13:00:02.2+01:00", "2026-01-31T12:00:02.3Z"),
        row("half", "2026-01-31T12:00:03+00:00", None),
    )
    found = recorded([Table("_prisma_migrations", "public", True, rows)], ["old"])
    assert [(one.migrations, round(one.seconds, 3)) for one in found] == [(("a",), 1.623), (("b",), 0.1)]
    flyway = ({"version": "2", "installed_rank": 1, "success": True, "execution_time": 1500},)
    assert recorded([Table("flyway_schema_history", "public", True, flyway)], []) == (Took(("2",), 1.5),)


def _backup(identity: str, tag: Tag | None, recipients: tuple[str, ...] = ()) -> Backup:
    return Backup(identity, "", tag, "shop", 170002, 1, 1, Digest.of(b""), recipients, None, Reason.DEPLOY)


OWN = "20260131-120000-000000"
NEWER = _backup("20260131-130000-000000", TAG)


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ([NEWER, _backup(OWN, TAG)], OWN),
        ([NEWER, _backup("20260131-110000-000000", TAG)], NEWER.id),
        # From before the release that serves: it lacks that one's migrations.
        ([replace(NEWER, tag=OTHER)], None),
        ([_backup(OWN, TAG, ("age1x",))], None),
        ([], None),
    ],
)
def test_the_copy_is_of_the_backup_just_taken_or_of_one_with_the_schema_that_serves(
    there: list[Backup], chosen: str | None
) -> None:
    found = choose(there, OWN, TAG)
    assert (found.id if found is not None else None) == chosen


@pytest.mark.parametrize(("size_mib", "free_mib", "fits"), [(1000, 2512, True), (1000, 2511, False), (1, 400, False)])
def test_a_copy_and_what_a_migration_writes_anew_must_fit(size_mib: int, free_mib: int, fits: bool) -> None:
    with nullcontext() if fits else pytest.raises(Failed, match="no room for the rehearsal"):
        refuse_full(size_mib * 2**20, free_mib * 2**20)


READY = Asked(TAG, ready=True, smoke=None)


@pytest.mark.parametrize(
    ("asked", "expected", "verdict"),
    [
        (None, (), "passed"),
        (READY, (), "passed"),
        (replace(READY, smoke=True), (), "passed"),
        (replace(READY, smoke=False), (), "failed"),
        (replace(READY, ready=False), (), "failed"),
        (replace(READY, ready=False), ("0005",), "expected"),
        (replace(READY, smoke=False), ("0005",), "expected"),
        (READY, ("0005",), "passed"),
    ],
)
def test_a_release_that_does_not_run_on_stops_the_deployment_unless_somebody_has_said_so(
    asked: Asked | None, expected: tuple[str, ...], verdict: str
) -> None:
    found, trouble = judge(asked, expected)
    assert found == verdict
    assert (trouble is not None) is (verdict == "failed")


def test_only_what_comes_with_the_release_and_has_the_word_contract_excuses_it() -> None:
    def migration(name: str, verdict: Verdict) -> Migration:
        return Migration(name, Digest.of(name.encode()), verdict, verdict)

    old, review = migration("0001", Verdict.CONTRACT), migration("0002", Verdict.REVIEW)
    base = Migrations(3600.0, 5.0, 900.0, 3, kind=MigratorKind.ALEMBIC)
    before = replace(base, shipped=(old,))
    assert contracts(brought(replace(base, shipped=(old, review)), before)) == ()
    gone = migration("0003", Verdict.CONTRACT)
    assert contracts(brought(replace(base, shipped=(old, review, gone)), before)) == ("0003",)
    assert contracts(brought(before, None)) == ("0001",)
