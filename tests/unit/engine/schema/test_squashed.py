"""Squashed migrations: their old names stay on record, and nobody is held up by that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairway.engine.contract.manifest import Migrations, MigratorKind
from fairway.engine.contract.names import Digest
from fairway.engine.schema.describe import describe
from fairway.engine.schema.known import Known
from fairway.engine.schema.passage import Passage, hint_for, to_release
from fairway.engine.schema.record import Record
from fairway.engine.schema.squashed import lacking
from tests.unit.engine.schema.shipped import migrations

PRISMA, DJANGO, ALEMBIC = MigratorKind.PRISMA, MigratorKind.DJANGO, MigratorKind.ALEMBIC


def squashing(release: Migrations, **replaces: tuple[str, ...]) -> Migrations:
    """Return a release in which some migrations say what they stand for."""
    shipped = tuple(replace(one, replaces=replaces.get(one.id, ())) for one in release.shipped)
    return replace(release, shipped=shipped)


#: Three releases: the second squashed the first two of its migrations and dropped their files.
FIRST = migrations(DJANGO, "a.1", "a.2!", "a.3")
SQUASHED = squashing(migrations(DJANGO, "a.squash!", "a.3"), **{"a.squash": ("a.1", "a.2")})
LATER = squashing(migrations(DJANGO, "a.squash!", "a.3", "a.4"), **{"a.squash": ("a.1", "a.2")})
ALL = ("a.1", "a.2", "a.3", "a.squash")


def _go(target: Migrations, *applied: str, known: tuple[Migrations, ...], serving: Migrations | None = None) -> Passage:
    kind = target.kind or DJANGO
    return to_release(target, serving, Record(kind, applied), Known([*known, target]), migrates=False)


def _found(passage: Passage) -> set[tuple[str, str]]:
    return {(one.reason.value, one.migration) for one in passage.obstacles}


@pytest.mark.parametrize("kept", [(), (SQUASHED,), (LATER,), (FIRST, SQUASHED, LATER)])
def test_names_that_were_squashed_are_known_when_their_files_are_gone(kept: tuple[Migrations, ...]) -> None:
    assert _go(SQUASHED, *ALL, known=kept).free


def test_one_can_go_back_to_before_the_squash_as_far_as_the_parts_allow() -> None:
    kept = (FIRST, SQUASHED, LATER)
    assert _go(FIRST, *ALL, known=kept).free
    assert _go(FIRST, *ALL, "a.4", known=kept).free
    assert _found(_go(migrations(DJANGO, "a.1"), *ALL, known=kept)) == {("contract", "a.2")}
    # Only the squashed one is on record, as on a database that was made after it, and pruned.
    assert _go(FIRST, "a.squash", "a.3", known=kept).free
    assert _found(_go(migrations(DJANGO, "a.1"), "a.squash", known=kept)) == {("contract", "a.2")}


def test_a_part_that_no_release_judged_is_not_judged_by_the_whole() -> None:
    # Squashed together, a column that came and went leaves no trace; to code between the two it matters.
    fine = squashing(migrations(DJANGO, "a.squash"), **{"a.squash": ("a.1", "a.2")})
    assert _found(_go(migrations(DJANGO, "a.1"), "a.1", "a.2", "a.squash", known=(fine,))) == {("unknown", "a.2")}


def test_what_another_release_says_of_the_same_bytes_counts_and_of_other_bytes_does_not() -> None:
    silent = migrations(PRISMA, "squash", "3")
    telling = squashing(silent, squash=("1", "2"))
    assert _go(silent, "1", "2", "squash", "3", known=(telling,)).free
    edited = replace(telling.shipped[0], digest=Digest.of(b"other bytes"))
    other = replace(telling, shipped=(edited, *telling.shipped[1:]))
    found = _go(silent, "1", "2", "squash", "3", known=(other,))
    assert _found(found) == {("unknown", "1"), ("unknown", "2")}


def test_what_was_squashed_with_other_bytes_than_any_known_is_unknown() -> None:
    telling = squashing(migrations(PRISMA, "squash"), squash=("1", "2"))
    record = Record(PRISMA, ("1", "2", "squash"), checksums={"squash": "0" * 64})
    found = to_release(migrations(PRISMA, "1", "2"), None, record, Known([telling]), migrates=False)
    assert _found(found) == {("unknown", "squash")}


def test_what_was_squashed_twice_is_known_through_both() -> None:
    once = squashing(migrations(PRISMA, "s1", "3"), s1=("1", "2"))
    twice = squashing(migrations(PRISMA, "s2"), s2=("s1", "3"))
    assert _go(twice, "1", "2", "3", "s1", "s2", known=(once,)).free
    assert _go(migrations(PRISMA, "1", "2", "3"), "s2", known=(once, twice)).free


def test_one_that_was_renamed_and_renamed_back_is_still_judged() -> None:
    renamed = squashing(migrations(PRISMA, "0", "new!"), new=("old",))
    back = squashing(migrations(PRISMA, "0", "old!"), old=("new",))
    before = migrations(PRISMA, "0")
    assert _found(_go(before, "0", "old", known=(renamed, back))) == {("contract", "old")}
    both = _go(before, "0", "old", "new", known=(renamed, back))
    assert _found(both) == {("contract", "old"), ("contract", "new")}
    assert _go(renamed, "0", "old", known=(back,)).free
    assert _go(back, "0", "new", known=(renamed,)).free
    itself = squashing(migrations(PRISMA, "0", "s!"), s=("s",))
    assert _found(_go(before, "0", "s", known=(itself,))) == {("contract", "s")}


@pytest.mark.parametrize(
    ("applied", "missing"),
    [
        (ALL, ()),
        (("a.1", "a.2", "a.3"), ()),
        (("a.1", "a.3"), ("a.squash",)),
        (("a.squash",), ("a.3",)),
        ((), ("a.squash", "a.3")),
    ],
)
def test_a_database_with_all_the_parts_has_the_whole(applied: tuple[str, ...], missing: tuple[str, ...]) -> None:
    assert lacking(SQUASHED, Record(DJANGO, applied), Known([SQUASHED])) == missing


def test_a_database_with_the_whole_has_the_parts() -> None:
    assert lacking(FIRST, Record(DJANGO, ("a.squash", "a.3")), Known([FIRST, SQUASHED])) == ()
    assert lacking(FIRST, Record(DJANGO, ("a.squash",)), Known([FIRST, SQUASHED])) == ("a.3",)


@pytest.mark.parametrize(
    ("applied", "missing"),
    [
        (("1", "2", "34"), ()),  # each half of it in another way, and neither under its name
        (("12", "3", "4"), ()),
        (("1", "34"), ("1234",)),
        (("1", "2", "3"), ("1234",)),
    ],
)
def test_a_database_with_the_parts_of_the_parts_has_the_whole(
    applied: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    names = ("1", "2", "3", "4", "12", "34", "1234")
    kept = squashing(migrations(PRISMA, *names), **{"12": ("1", "2"), "34": ("3", "4"), "1234": ("12", "3", "4")})
    target = squashing(migrations(PRISMA, "1234"), **{"1234": ("12", "3", "4")})
    assert lacking(target, Record(PRISMA, applied), Known([kept])) == missing


def test_a_part_that_stands_for_different_things_in_two_versions_is_there_with_all_of_them_alone() -> None:
    target = squashing(migrations(PRISMA, "123"), **{"123": ("12", "3")})
    said = squashing(migrations(PRISMA, "12"), **{"12": ("1", "2")})
    for other_parts in (("1",), ()):
        edited = replace(said.shipped[0], digest=Digest.of(b"other bytes"), replaces=other_parts)
        known = Known([said, replace(said, shipped=(edited,))])
        assert lacking(target, Record(PRISMA, ("1", "3")), known) == ("123",)
    assert lacking(target, Record(PRISMA, ("1", "2", "3")), Known([said])) == ()


@pytest.mark.parametrize(
    ("kind", "applied", "said"),
    [
        (PRISMA, ("1", "2"), "2 migrations that are applied"),
        (PRISMA, ("1",), "only 1 of them"),
        (PRISMA, ("1", "2", "squash"), None),
        (PRISMA, (), None),
        (DJANGO, ("1", "2"), None),
    ],
)
def test_a_squash_is_not_run_over_its_own_parts(kind: MigratorKind, applied: tuple[str, ...], said: str | None) -> None:
    old, new = migrations(kind, "1", "2"), squashing(migrations(kind, "squash"), squash=("1", "2"))
    passage = to_release(new, old, Record(kind, applied), Known([old, new]), migrates=True)
    assert _found(passage) == ({("squashed", "squash")} if said else set())
    if said:
        assert said in passage.words
        assert "prisma migrate resolve --applied" in hint_for(passage, migrates=True, floor=None, environment="p")


@pytest.mark.parametrize(
    ("applied", "said"),
    [
        (("1", "2", "34"), "stands for 4 migrations that are applied"),
        (("1",), "only 1 of them are applied"),
        (("12345",), "stands for 4 migrations that are applied"),
        (("5",), None),
    ],
)
def test_a_squash_is_not_run_over_the_parts_of_its_parts(applied: tuple[str, ...], said: str | None) -> None:
    names = ("1", "2", "3", "4", "5", "12", "34", "1234", "12345")
    stands_for = {"12": ("1", "2"), "34": ("3", "4"), "1234": ("12", "34"), "12345": ("1234", "5")}
    known = squashing(migrations(PRISMA, *names), **stands_for)
    target = squashing(migrations(PRISMA, "1234"), **{"1234": ("12", "34")})
    passage = to_release(target, None, Record(PRISMA, applied), Known([known]), migrates=True)
    squashed = [one for one in passage.obstacles if one.reason.value == "squashed"]
    assert [one.migration for one in squashed] == (["1234"] if said else [])
    assert said is None or said in str(squashed[0])


def test_the_migrator_of_alembic_still_stops_at_a_revision_that_it_does_not_have() -> None:
    old, new = migrations(ALEMBIC, "1", "2"), squashing(migrations(ALEMBIC, "squash"), squash=("1", "2"))
    passage = to_release(new, old, Record(ALEMBIC, ("1", "2")), Known([old, new]), migrates=True)
    assert {reason for reason, _ in _found(passage)} == {"newer"}


def test_the_refusal_of_unknown_names_says_how_to_tell_what_they_were_squashed_into() -> None:
    passage = _go(migrations(PRISMA, "squash"), "1", "squash", known=())
    assert _found(passage) == {("unknown", "1")}
    assert "--replaces" in hint_for(passage, migrates=False, floor=None, environment="production")


def test_a_deployment_without_what_a_squash_stood_for_is_told_how_to_say_it() -> None:
    # Django's last step: the squash loses its "replaces", while the database and older releases know the parts.
    tidied = replace(SQUASHED.shipped[0], digest=Digest.of(b"without replaces"), replaces=())
    target = replace(SQUASHED, shipped=(tidied, *SQUASHED.shipped[1:]))
    record, known = Record(DJANGO, ALL), (FIRST, SQUASHED)
    passage = to_release(target, SQUASHED, record, Known([*known, target]), migrates=True)
    assert _found(passage) == {("contract", "a.2")}
    assert "--replaces" in hint_for(passage, migrates=True, floor=None, environment="production")
    assert "--replaces" not in hint_for(passage, migrates=False, floor=None, environment="production")
    told = replace(target, shipped=(replace(tidied, replaces=("a.1", "a.2")), *target.shipped[1:]))
    assert to_release(told, SQUASHED, record, Known([*known, told]), migrates=True).free


def test_a_release_with_the_squash_goes_on_from_one_with_the_parts() -> None:
    # "x" is somebody else's, and the release that serves lives with it.
    record = Record(DJANGO, ("a.1", "a.2", "a.3", "x"))
    assert to_release(SQUASHED, FIRST, record, Known([FIRST, SQUASHED]), migrates=True).free


def test_the_state_of_what_was_squashed_is_told() -> None:
    told = describe(SQUASHED, Record(DJANGO, ALL), Known([FIRST, SQUASHED]))
    assert {row["id"]: row["state"] for row in told["migrations"]} == {
        "a.squash": "applied",
        "a.3": "applied",
        "a.1": "replaced",
        "a.2": "replaced",
    }


_NAMES = ("1", "2", "3", "4", "5")


@given(
    st.lists(st.sampled_from(("", "!", "?")), min_size=5, max_size=5),
    st.sets(st.sampled_from(_NAMES), min_size=2),
    st.sets(st.sampled_from(_NAMES)),
    st.booleans(),
)
def test_a_squash_makes_no_rollback_freer_and_none_harder(
    verdicts: list[str], parts: set[str], shipped: set[str], kept: bool
) -> None:
    marked = dict(zip(_NAMES, verdicts, strict=True))
    before = migrations(PRISMA, *(name + marked[name] for name in _NAMES))
    squash = squashing(
        migrations(PRISMA, "squash!", *(name + marked[name] for name in _NAMES if name not in parts)),
        squash=tuple(sorted(parts)),
    )
    target = migrations(PRISMA, *(name + marked[name] for name in _NAMES if name in shipped))
    known = (before, squash)
    plain = _go(target, *_NAMES, known=known)
    both = _go(target, *_NAMES, "squash", known=known)
    alone = _go(target, "squash", *(name for name in _NAMES if name not in parts), known=known)
    assert _found(plain) == _found(both) == _found(alone)
    # Where the releases with the parts are gone, nothing is let through that was not before.
    forgotten = _go(target, *_NAMES, "squash", known=(squash,) if not kept else known)
    assert plain.free or not forgotten.free


@given(
    st.dictionaries(st.sampled_from(_NAMES), st.lists(st.sampled_from(_NAMES), max_size=3), min_size=1),
    st.sets(st.sampled_from(_NAMES), min_size=1),
    st.booleans(),
)
def test_whatever_stands_for_what_nothing_that_is_applied_gets_lost(
    stands_for: dict[str, list[str]], applied: set[str], with_checksums: bool
) -> None:
    told = squashing(
        migrations(PRISMA, "0", *(f"{name}!" for name in _NAMES)),
        **{name: tuple(parts) for name, parts in stands_for.items()},
    )
    digests = {one.id: one.digest[7:] for one in told.shipped}
    checksums = {name: digests[name] for name in applied} if with_checksums else {}
    record = Record(PRISMA, ("0", *sorted(applied)), checksums=checksums)
    assert not to_release(migrations(PRISMA, "0"), None, record, Known([told]), migrates=False).free


#: What each of these does to a database, by the migrations that were first written.
_EFFECTS = {
    **{name: frozenset({name}) for name in _NAMES},
    "12": frozenset("12"),
    "34": frozenset("34"),
    "1234": frozenset("1234"),
    "5b": frozenset("5"),
}
_STANDS_FOR = {"12": ("1", "2"), "34": ("3", "4"), "1234": ("12", "3", "4"), "5b": ("5",)}


@example(verdicts=[""] * 5, applied={"34", "1", "2"}, shipped={"1234"}, kept=[], all_kept=True)
@given(
    st.lists(st.sampled_from(("", "!", "?")), min_size=5, max_size=5),
    st.sets(st.sampled_from(sorted(_EFFECTS)), min_size=1),
    st.sets(st.sampled_from(sorted(_EFFECTS)), min_size=1),
    st.lists(st.sets(st.sampled_from(sorted(_EFFECTS))), max_size=3),
    st.booleans(),
)
def test_a_rollback_is_free_only_where_the_database_does_what_the_release_knows(
    verdicts: list[str], applied: set[str], shipped: set[str], kept: list[set[str]], all_kept: bool
) -> None:
    marks = dict(zip(_NAMES, verdicts, strict=True))

    def release(names: set[str]) -> Migrations:
        worst = {name: "".join(sorted({marks[one] for one in _EFFECTS[name]}))[:1] for name in names}
        return squashing(migrations(PRISMA, *(name + worst[name] for name in sorted(names))), **_STANDS_FOR)

    target = release(shipped)
    known = [release(set(_EFFECTS))] if all_kept else [release(names) for names in kept]
    passage = to_release(target, None, Record(PRISMA, tuple(sorted(applied))), Known([*known, target]), migrates=False)
    has = frozenset().union(*(_EFFECTS[name] for name in applied))
    wants = frozenset().union(*(_EFFECTS[name] for name in shipped))
    runs = wants <= has and not any(marks[one] for one in has - wants)
    if passage.free:
        assert runs
    if all_kept and runs:
        assert passage.free
