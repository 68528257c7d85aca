"""Which releases may serve on a database: the rule that every rollback goes by, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.manifest import Migrations, MigratorKind
from fairway.engine.contract.names import Digest
from fairway.engine.schema.describe import describe
from fairway.engine.schema.known import Known
from fairway.engine.schema.passage import UNCHECKED, Passage, Reason, hint_for, to_release, unreadable
from fairway.engine.schema.record import Record
from tests.unit.engine.schema.shipped import migrations

PRISMA, ALEMBIC, SQL = MigratorKind.PRISMA, MigratorKind.ALEMBIC, MigratorKind.SQL
FIRST = migrations(PRISMA, "1", "2!")
NEWEST = migrations(PRISMA, "1", "2!", "3", "4!", "5?")


def _found(passage: Passage) -> set[tuple[str, str]]:
    return {(one.reason.value, one.migration) for one in passage.obstacles}


def _go(target: Migrations, *applied: str, migrates: bool = False, known: Migrations = NEWEST) -> Passage:
    kind = target.kind or PRISMA
    return to_release(target, None, Record(kind, applied), Known([known, target]), migrates=migrates)


@pytest.mark.parametrize(
    ("applied", "found"),
    [
        (("1", "2"), set()),
        (("1", "2", "3"), set()),
        (("1", "2", "3", "4"), {("contract", "4")}),
        (("1", "2", "3", "5"), {("review", "5")}),
        (("1", "2", "x"), {("unknown", "x")}),
        (("1", "2", "3", "4", "5", "x"), {("contract", "4"), ("review", "5"), ("unknown", "x")}),
        (("1",), {("behind", "2")}),
        ((), {("behind", "1"), ("behind", "2")}),
        (("1", "3", "4"), {("behind", "2"), ("contract", "4")}),
    ],
)
def test_a_rollback_goes_over_what_only_expands_and_nothing_else(
    applied: tuple[str, ...], found: set[tuple[str, str]]
) -> None:
    assert _found(_go(FIRST, *applied)) == found


@pytest.mark.parametrize(
    ("applied", "found"),
    [
        ((), set()),
        (("1",), set()),
        (("1", "2", "3"), set()),
        (("1", "2", "4"), {("contract", "4")}),
        (("x",), {("unknown", "x")}),
    ],
)
def test_a_deployment_applies_what_is_missing_and_is_held_back_by_what_is_beyond_it(
    applied: tuple[str, ...], found: set[tuple[str, str]]
) -> None:
    assert _found(_go(FIRST, *applied, migrates=True)) == found


def test_what_a_release_contracts_itself_is_no_matter_to_it() -> None:
    assert _go(NEWEST, "1", "2", "3", "4", "5").free


def test_alembic_s_own_migrator_stops_at_a_revision_that_it_does_not_have() -> None:
    old, new = migrations(ALEMBIC, "a"), migrations(ALEMBIC, "a", "b")
    assert _found(_go(old, "a", "b", migrates=True, known=new)) == {("newer", "b")}
    assert _found(_go(old, "a", "b", known=new)) == set()


def test_of_several_verdicts_on_one_migration_the_worst_holds() -> None:
    said = [migrations(PRISMA, "1", "2"), migrations(PRISMA, "1", "2!"), migrations(PRISMA, "1", "2?")]
    record = Record(PRISMA, ("1", "2"))
    target = migrations(PRISMA, "1")
    for known in (Known(said), Known(reversed(said))):
        assert _found(to_release(target, None, record, known, migrates=False)) == {("contract", "2")}


def test_a_verdict_holds_for_the_bytes_that_were_applied_only() -> None:
    target, newer = migrations(PRISMA, "1"), migrations(PRISMA, "1", "2")
    digest = newer.shipped[1].digest[7:]
    for checksum, found in ((digest, set()), (digest.upper(), set()), ("ab" * 32, {("unknown", "2")})):
        record = Record(PRISMA, ("1", "2"), checksums={"2": checksum})
        assert _found(to_release(target, None, record, Known([newer]), migrates=False)) == found


def test_what_was_edited_after_it_was_applied_is_told() -> None:
    target = migrations(PRISMA, "1", "2")
    passage = to_release(target, None, Record(PRISMA, ("1", "2"), checksums={"2": "ab" * 32}), Known([]), migrates=True)
    assert (passage.free, passage.note) == (True, "edited after they were applied: 2")


@pytest.mark.parametrize("migrates", [True, False])
def test_what_has_failed_or_is_in_flight_comes_first(migrates: bool) -> None:
    record = Record(PRISMA, ("1",), {"2": "ERROR: no"}, ("3",))
    target = migrations(PRISMA, "1", "2", "3")
    passage = to_release(target, None, record, Known([target]), migrates=migrates)
    assert _found(passage) == {("failed", "2"), ("in-flight", "3")}
    assert "2: failed (ERROR: no)" in passage.words


def test_a_number_in_the_table_is_the_version_of_the_file_that_has_zeros_before_it() -> None:
    target = migrations(SQL, "0001")
    assert _go(target, "1", known=target).free
    assert _found(_go(target, "1", "2", known=migrations(SQL, "0001", "002!"))) == {("contract", "2")}


def test_releases_with_different_tools_cannot_be_told_apart() -> None:
    target, serving = migrations(ALEMBIC, "a"), migrations(PRISMA, "1")
    passage = to_release(target, serving, Record(ALEMBIC, ("a",)), Known([target, serving]), migrates=False)
    assert _found(passage) == {("other-tool", "")}
    silent = migrations(None)
    assert to_release(target, silent, Record(ALEMBIC, ("a",)), Known([target]), migrates=False).free


def test_a_release_that_does_not_say_what_it_ships_is_not_checked_and_says_so() -> None:
    passage = _go(migrations(None), "1", "4")
    assert passage is UNCHECKED
    assert (passage.free, passage.checked) == (True, False)
    assert "not checked" in passage.note


@pytest.mark.parametrize(
    ("files", "applied", "found"),
    [
        (("1", "2"), ("1", "2", "3"), set()),
        (("1", "2"), ("1", "2", "3", "4"), {("contract", "4")}),
        (("1",), ("1", "2", "x"), {("contract", "2"), ("unknown", "x")}),
        ((), ("1", "2"), {("contract", "2")}),
        (("1", "2", "3"), ("1", "2"), {("behind", "3")}),
    ],
)
def test_a_rollback_to_one_that_does_not_say_it_is_held_against_its_files(
    files: tuple[str, ...], applied: tuple[str, ...], found: set[tuple[str, str]]
) -> None:
    digests = {f"db/{name}.sql": Digest.of(name.encode()) for name in files}
    target = replace(migrations(None), files=digests)
    record = Record(PRISMA, applied)
    assert _found(to_release(target, NEWEST, record, Known([NEWEST]), migrates=False)) == found
    assert to_release(target, NEWEST, record, Known([NEWEST]), migrates=True) is UNCHECKED
    assert to_release(target, migrations(None), record, Known([NEWEST]), migrates=False) is UNCHECKED


@pytest.mark.parametrize(
    ("serving", "migrates", "found"),
    [
        (("1",), True, set()),
        (("1", "2!"), True, set()),
        (("1", "2!", "3"), True, {("unknown", "x")}),  # the release goes back from the one that serves
        (("1", "2!"), False, {("unknown", "x")}),
    ],
)
def test_what_nobody_knows_holds_no_release_back_that_goes_on_from_one_that_serves_with_it(
    serving: tuple[str, ...], migrates: bool, found: set[tuple[str, str]]
) -> None:
    served = migrations(PRISMA, *serving)
    record = Record(PRISMA, ("1", "2", "x"))
    passage = to_release(FIRST, served, record, Known([FIRST, served]), migrates=migrates)
    assert _found(passage) == found
    assert ("no release on this host says what they are: x" in passage.note) is (not found)


def test_a_database_that_cannot_be_asked_is_in_the_way() -> None:
    assert [one.reason for one in unreadable("it is away").obstacles] == [Reason.UNREADABLE]


@given(st.data())
def test_nothing_but_an_expansion_is_ever_passed_over(data: st.DataObject) -> None:
    marks = data.draw(st.lists(st.sampled_from(["", "!", "?"]), min_size=1, max_size=12))
    names = [f"{number}{mark}" for number, mark in enumerate(marks)]
    cut = data.draw(st.integers(0, len(names)))
    known = migrations(PRISMA, *names)
    target = migrations(PRISMA, *names[:cut])
    strange = data.draw(st.lists(st.sampled_from(["x", "y"]), unique=True))
    applied = [one.id for one in known.shipped] + strange
    passage = to_release(target, known, Record(PRISMA, tuple(applied)), Known([known, target]), migrates=False)
    assert passage.free == (not strange and set(marks[cut:]) <= {""})


@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_says_what_to_do_and_how_it_is_forced(reason: Reason) -> None:
    passage = replace(unreadable("x"), obstacles=(replace(unreadable("x").obstacles[0], reason=reason),))
    hint = hint_for(passage, migrates=True, floor=None, environment="production")
    assert hint.count(";") >= 1
    assert 'fairway deploy production <tag> --force --reason "..."' in hint


def test_each_migration_is_shown_with_what_has_become_of_it() -> None:
    release = migrations(PRISMA, "1", "2", "3!", "4", "5")
    checksums = {"1": release.shipped[0].digest[7:], "2": "ab" * 32}
    record = Record(PRISMA, ("1", "2", "other", "lost"), {"3": "ERROR"}, ("4",), checksums)
    found = describe(release, record, Known([release, migrations(PRISMA, "other")]))
    assert {row["id"]: row["state"] for row in found["migrations"]} == {
        "1": "applied",
        "2": "edited",
        "3": "failed",
        "4": "in-flight",
        "5": "pending",
        "other": "beyond",
        "lost": "unknown",
    }
    assert sum(found["counts"].values()) == 7
