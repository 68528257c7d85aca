"""Where leftovers may lie, and the scripts that count and empty them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fairway.engine.contract.errors import Failed, Invalid, Refused
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.leftovers import Leftovers
from fairway.engine.contract.manifest import Release, parse_release
from fairway.engine.contract.protocol import Outcome
from fairway.engine.database import Database
from fairway.engine.leftovers import (
    Found,
    Uncertain,
    _why,
    clear,
    clear_script,
    outcome_of,
    read_scan,
    refuse_unnamed,
    scan_script,
    variables_of,
)
from fairway.engine.process import Completed
from fairway.engine.redact import Redactor

ROWS = Leftovers("SystemSettings", "key", "value", ("OPENAI_API_KEY", "SMTP_PASSWORD"), ())
COLUMNS = Leftovers("mail.settings", None, None, (), ("smtpPassword",))
PLACES = (ROWS, COLUMNS)


def _document(**changes: Any) -> dict[str, Any]:
    return {**ROWS.as_json(), **changes}


def test_a_release_names_the_places_in_both_shapes(release: Release) -> None:
    said = replace(release, leftovers=PLACES)
    assert parse_release(said.to_bytes()) == said


@pytest.mark.parametrize(
    "changes",
    [
        {"table": 'x"; DROP TABLE users; --'},
        {"table": "a.b.c"},
        {"table": "x" * 64},
        {"key_column": "key'"},
        {"value_column": "value\n"},
        {"keys": ["it's"]},
        {"keys": ["\\! rm"]},
        {"keys": [":x y"]},
        {"keys": []},
        {"keys": ["A", "A"]},
        {"key_column": None},
        {"value_column": "key"},
        {"columns": ["x"]},
        {"keys": [], "columns": ["x"]},
        {"more": 1},
    ],
)
def test_a_place_with_another_name_or_shape_is_refused(release: Release, changes: dict[str, Any]) -> None:
    document = json.loads(release.to_bytes())
    document["leftovers"] = [_document(**changes)]
    with pytest.raises(Invalid):
        parse_release(json.dumps(document).encode())


def test_a_table_is_named_once(release: Release) -> None:
    with pytest.raises(Invalid, match="twice"):
        parse_release(replace(release, leftovers=(ROWS, ROWS)).to_bytes())


@pytest.mark.parametrize("script", [scan_script(PLACES), clear_script(PLACES)])
def test_a_script_selects_counts_and_holds_no_name(script: str) -> None:
    names = {name for place in PLACES for name in (*place.names, place.bare_table)}
    assert not any(name in script for name in names)
    assert names <= set(variables_of(PLACES).values())
    # Every answer is a number or a word of ours.
    counts = r"'(rows|missing) [0-9 ]+'( \|\| (count\(\*\) FROM |:'\w+'$)|$)"
    for select in re.findall(r"SELECT ('.*);", script):
        assert re.match(counts + r"|'(refused|committed|late)'$", select)
    assert script.count("\\if") == script.count("\\endif")


def test_what_is_cleared_is_kept_only_when_every_count_is_right() -> None:
    script = clear_script(PLACES)
    assert script.index("BEGIN;") < script.index("UPDATE") < script.rindex("ROLLBACK;") < script.rindex("COMMIT;")
    assert script.count("COMMIT;") == 1
    assert len(re.findall(r"_differs\n  \\set wrong 1", script)) == 3


def test_what_was_expected_and_is_not_there_any_more_is_wrong() -> None:
    # Each of the two keys without the table, and without either column; the one column without the table, and itself.
    assert len(re.findall(r"_gone\n  \\set wrong 1", clear_script(PLACES))) == 2 * 3 + 2
    assert "gone" not in scan_script(PLACES)


class Answering(Database):
    """A database of which the answers are given."""

    def __init__(self, *answers: Completed | Failed) -> None:
        super().__init__("db", {})
        self.__dict__["answers"] = list(answers)

    def execute(self, script: str, variables: Mapping[str, str], *, timeout_s: float = 0) -> Completed:
        answer: Completed | Failed = self.__dict__["answers"].pop(0)
        if isinstance(answer, Failed):
            raise answer
        return answer


ONE = [Found("SystemSettings", "OPENAI_API_KEY", 1)]


@pytest.mark.parametrize(
    "answer",
    [
        Failed("docker exec did not finish within 120 s"),
        Completed(137, "", ""),
        Completed(2, "rows 0 0 1\n", "FATAL:  57P01\nconnection to server was lost\n"),
        Completed(1, "rows 0 0 1\n", "the container is not running"),
        Completed(0, "", ""),
    ],
)
def test_without_an_answer_it_is_not_said_that_nothing_was_changed(answer: Completed | Failed) -> None:
    with pytest.raises(Uncertain, match="not known whether") as caught:
        clear(Answering(answer, Completed(0, "rows 0 0 7\n", "")), PLACES, ONE)
    assert caught.value.why.endswith("; a scan afterwards found 7")
    with pytest.raises(Uncertain) as caught:
        clear(Answering(answer, Failed("the database does not answer")), PLACES, ONE)
    assert caught.value.why.endswith("; a scan afterwards said: the database does not answer")


def test_a_clearing_of_which_nobody_heard_the_end_has_not_failed_on_the_record() -> None:
    assert outcome_of(Uncertain("it is not known")) is Outcome.UNKNOWN
    assert outcome_of(Failed("nothing was changed")) is Outcome.FAILED
    assert outcome_of(Refused("something else by now")) is Outcome.FAILED


def test_an_error_and_a_late_end_have_changed_nothing_and_a_commit_counts_however_it_ends() -> None:
    for answer in (Completed(3, "rows 0 0 1\n", "ERROR:  55P03\n"), Completed(0, "rows 0 0 1\nlate\n", "")):
        with pytest.raises(Failed, match="nothing was changed"):
            clear(Answering(answer), PLACES, ONE)
    with pytest.raises(Refused, match="something else by now"):
        clear(Answering(Completed(0, "rows 0 0 2\nrefused\n", "")), PLACES, ONE)
    for code in (0, 137):
        assert clear(Answering(Completed(code, "rows 0 0 1\ncommitted\n", "")), PLACES, ONE)[0] == ONE[0]


def test_an_answer_is_read_by_name() -> None:
    found = read_scan("rows 0 1 2\nmissing 1 0\n", PLACES)
    assert found.left == (Found("SystemSettings", "SMTP_PASSWORD", 2),)
    assert found.missing == ("the table mail.settings has no column smtpPassword",)
    assert read_scan("missing 1\n", PLACES).missing == ("there is no table mail.settings",)
    assert found.rows == 2


def test_only_what_the_release_names_can_be_cleared() -> None:
    refuse_unnamed(PLACES, [Found("mail.settings", "smtpPassword", 1)])
    for other in (Found("users", "email", 1), Found("SystemSettings", "smtpPassword", 1)):
        with pytest.raises(Refused, match="is no leftover"):
            refuse_unnamed(PLACES, [other])


@pytest.mark.parametrize("rows", [-1, 1.5, True, "1", None, 2**40])
def test_a_count_is_a_number_of_rows(rows: Any) -> None:
    with pytest.raises(Invalid):
        Found.parse(Fields({"table": "t", "key": "k", "rows": rows}, "request"))


def test_what_postgresql_says_is_not_repeated() -> None:
    said = "psql:<stdin>:4: ERROR:  23514\nDETAIL:  Failing row contains (hunter2).\n"
    assert _why(said) == "a check constraint does not take an empty value (SQLSTATE 23514)"
    assert _why("hunter2") == "the database's container did not answer"


@pytest.mark.parametrize(
    "shown", ['say \\"x%/+', "say%20%22x%25/%2B", "say+%22x%25%2F%2B", "c2F5ICJ4JS8r", 'say "x%/+']
)
def test_a_secret_is_masked_as_programs_write_it(shown: str) -> None:
    assert Redactor({"KEY": 'say "x%/+'})(f"it was {shown}!") == "it was [redacted]!"
