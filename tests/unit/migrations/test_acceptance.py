"""People's word on migrations: what the file may say, and what it holds for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.contract.manifest import Verdict
from fairway.engine.contract.names import Digest
from fairway.migrations.acceptance import Accepted, read_accepted, write_accepted
from fairway.migrations.assessing import Assessment, assess
from fairway.migrations.sources.source import Source

EXPANDS, CONTRACTS, UNCLEAR = "CREATE TABLE t (id int);", "DROP TABLE t;", "DO $$ BEGIN END $$;"


def source(sql: str, name: str = "0001") -> Source:
    return Source(name, f"db/{name}.sql", Digest.of(sql.encode()), sql)


def word(one: Source, verdict: Verdict, line: int = 3) -> Accepted:
    return Accepted(one.id, one.digest, verdict, "because", line)


def test_what_only_expands_needs_no_word() -> None:
    found = assess([source(EXPANDS)], [])

    assert found.ready
    assert found.migrations[0].as_migration().words == ""


@pytest.mark.parametrize("sql", [CONTRACTS, UNCLEAR])
def test_a_contract_and_a_review_need_a_word(sql: str) -> None:
    (one,) = assess([source(sql)], []).migrations

    assert one.problem
    assert one.as_migration().words.startswith("line 1: ")


@pytest.mark.parametrize("verdict", [Verdict.EXPAND, Verdict.CONTRACT])
def test_a_review_is_what_a_person_says_it_is(verdict: Verdict) -> None:
    one = source(UNCLEAR)

    found = assess([one], [word(one, verdict)])

    migration = found.migrations[0].as_migration()
    assert found.ready
    assert (migration.verdict, migration.judged, migration.words) == (verdict, Verdict.REVIEW, "because")


def test_a_contract_can_be_accepted_as_one() -> None:
    one = source(CONTRACTS)

    found = assess([one], [word(one, Verdict.CONTRACT)])

    assert found.ready
    assert found.migrations[0].verdict is Verdict.CONTRACT


def test_a_contract_is_never_accepted_as_an_expansion() -> None:
    one = source(CONTRACTS)

    found = assess([one], [word(one, Verdict.EXPAND)])

    assert not found.ready
    assert found.migrations[0].verdict is Verdict.CONTRACT
    assert found.faults[0].line == 3


def test_a_person_may_find_a_migration_graver_than_fairway_does() -> None:
    one = source(EXPANDS)

    assert assess([one], [word(one, Verdict.CONTRACT)]).migrations[0].verdict is Verdict.CONTRACT


def test_an_edit_voids_the_word() -> None:
    one = source(UNCLEAR)

    found = assess([source(UNCLEAR + " ")], [word(one, Verdict.EXPAND, 7)])

    assert found.migrations[0].problem
    assert [(fault.line, "edited" in fault.message) for fault in found.faults] == [(7, True)]


def test_a_word_on_no_migration_is_a_fault() -> None:
    assert "'0009'" in _faults(assess([source(EXPANDS)], [word(source(UNCLEAR, "0009"), Verdict.EXPAND)]))


def test_what_runs_again_and_again_cannot_be_a_contract() -> None:
    one = Source("R__view", "db/R__view.sql", Digest.of(b""), CONTRACTS, again=True)

    assert not assess([one], [word(one, Verdict.CONTRACT)]).ready


def _faults(found: Assessment) -> str:
    return " ".join(fault.message for fault in found.faults)


ENTRY = f'[[accepted]]\nmigration = "0001"\nsha256 = "{"a" * 64}"\nverdict = "expand"\nreason = "fine"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "unknown key 'x'"),
        ("accepted = 1", "must be tables"),
        ("[[accepted", "not valid TOML"),
        (ENTRY + "more = 1\n", "line 1"),
        ("# note\n" + ENTRY.replace('"expand"', '"review"'), "line 2: verdict"),
        (ENTRY + "\n" + ENTRY.replace("aaa", "xyz"), "line 7: sha256"),
        (ENTRY + "\n" + ENTRY, "line 7: a second word"),
        (ENTRY.replace("fine", " "), "line 1: the reason is empty"),
        (ENTRY.replace("fine", "x" * 501), "line 1: a reason has"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_accepted(text.encode(), "verdicts.toml")


def test_what_is_written_is_read_again_and_comments_stay() -> None:
    before = b"# ours\n\n" + ENTRY.encode() + b"# kept\n"
    new = Accepted("app.0002", Digest.of(b"x"), Verdict.CONTRACT, 'said "so"')
    again = Accepted("0001", Digest.of(b"y"), Verdict.CONTRACT, "changed")

    content = write_accepted(before, [new, again])

    assert b"# ours" in content
    assert b"# kept" in content
    read = read_accepted(content, "v")
    assert [(one.migration, one.digest, one.verdict, one.reason) for one in read] == [
        (one.migration, one.digest, one.verdict, one.reason) for one in (again, new)
    ]
    assert write_accepted(content, [new, again]) == content


def test_a_new_file_begins_with_what_it_is() -> None:
    content = write_accepted(
        b"", [Accepted("1", Digest.of(b""), Verdict.EXPAND, "a"), Accepted("2", Digest.of(b""), Verdict.EXPAND, "b")]
    )

    assert content.startswith(b"# What people have said")
    assert b'"a"\n\n[[accepted]]' in content
    assert [one.line for one in read_accepted(content, "v")] == [4, 10]


@given(st.binary())
def test_no_file_makes_it_fail_otherwise(content: bytes) -> None:
    with suppress(FairwayError):
        read_accepted(content, "v")


def test_a_person_can_say_what_was_squashed() -> None:
    one = source(EXPANDS, "0003_squashed")
    said = replace(word(one, Verdict.EXPAND), replaces=("0001", "0002"))

    found = assess([one], [said])

    assert found.ready
    assert found.migrations[0].as_migration().replaces == ("0001", "0002")


def test_what_the_file_says_of_its_parts_and_what_a_person_says_count_together() -> None:
    one = replace(source(EXPANDS), replaces=("a", "b"))
    said = replace(word(one, Verdict.EXPAND), replaces=("b", "c"))

    assert assess([one], [said]).migrations[0].replaces == ("a", "b", "c")


def test_the_word_on_an_edited_squash_is_void_with_its_parts() -> None:
    one = source(EXPANDS)
    said = replace(word(source(UNCLEAR), Verdict.EXPAND), replaces=("a",))

    found = assess([one], [said])

    assert found.migrations[0].replaces == ()
    assert not found.ready


def test_what_is_there_was_not_squashed() -> None:
    old, new = source(EXPANDS, "0001"), source(EXPANDS, "0002")
    said = replace(word(new, Verdict.EXPAND), replaces=("0001",))

    (fault,) = assess([old, new], [said]).faults

    assert fault.message == "0002 is said to stand for 0001, which is there"


@pytest.mark.parametrize("replaces", ['"0001"', "[1]", '["a\\nb"]', '["0005"]', '[" "]'])
def test_parts_that_cannot_be_are_refused_with_the_line(replaces: str) -> None:
    text = (
        f'\n[[accepted]]\nmigration = "0005"\nsha256 = "{"0" * 64}"\nverdict = "expand"\nreason = "r"\n'
        f"replaces = {replaces}\n"
    )

    with pytest.raises(Invalid, match=r"v\.toml, line 2"):
        read_accepted(text.encode(), "v.toml")


def test_parts_are_written_and_kept_when_the_word_is_said_again() -> None:
    one = source(EXPANDS)
    said = replace(word(one, Verdict.EXPAND), replaces=("a", "b"))
    written = write_accepted(b"", [said])

    again = write_accepted(written, [word(one, Verdict.CONTRACT)])

    assert read_accepted(again, "v")[0].replaces == ("a", "b")
    assert read_accepted(again, "v")[0].verdict is Verdict.CONTRACT
