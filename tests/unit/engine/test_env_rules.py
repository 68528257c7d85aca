from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.environment import Condition, EnvironmentFile
from fairway.engine.contract.envtext import parse_env, scan_env, with_value
from fairway.engine.contract.errors import Invalid

RULES = EnvironmentFile(
    ".env.production",
    required=("A",),
    optional=("MODE", "USER"),
    when=(Condition("PASSWORD", "USER"), Condition("SEED", "MODE", "deterministic")),
)


@pytest.mark.parametrize(
    ("values", "lacking"),
    [
        ({"A": "1"}, {}),
        ({"A": ""}, {"A": "required"}),
        ({}, {"A": "required"}),
        ({"A": "1", "USER": ""}, {}),
        ({"A": "1", "USER": "u"}, {"PASSWORD": "required when USER is set"}),
        ({"A": "1", "USER": "u", "PASSWORD": ""}, {"PASSWORD": "required when USER is set"}),
        ({"A": "1", "USER": "u", "PASSWORD": "p"}, {}),
        ({"A": "1", "MODE": "random"}, {}),
        ({"A": "1", "MODE": "deterministic"}, {"SEED": "required when MODE is 'deterministic'"}),
        ({"A": "1", "MODE": "Deterministic"}, {}),
        ({"A": "1", "MODE": "deterministic", "SEED": "s", "OTHER": "x"}, {}),
    ],
)
def test_a_key_is_lacking_when_its_rule_wants_a_value(values: dict[str, str], lacking: dict[str, str]) -> None:
    assert RULES.lacking(values) == lacking


def test_every_key_is_declared_once() -> None:
    assert RULES.declared == ("A", "PASSWORD", "SEED", "MODE", "USER")


def test_every_bad_line_is_told_and_the_good_ones_are_read() -> None:
    found = scan_env("A=1\nexport B=2\nC='x\nA=3\nD=4\n")
    assert [problem.line for problem in found.problems] == [2, 3, 4]
    assert found.values == {"A": "1", "D": "4"}
    with pytest.raises(Invalid, match="line 2: not of the form") as caught:
        parse_env("A=1\nexport B=2\nC='x\nA=3\nD=4\n", "f")
    assert "line 3, 4" in caught.value.why


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "K=v v\n"),
        ("A=1", "A=1\nK=v v\n"),
        ("# K=no\nK='old'\nB=2\n", "# K=no\nK=v v\nB=2\n"),
        ("KK=1\nK=\n", "KK=1\nK=v v\n"),
    ],
)
def test_one_value_changes_and_the_rest_of_the_text_stays(before: str, after: str) -> None:
    assert with_value(before, "K", "v v") == after.replace("K=v v", "K='v v'")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("K", "it's"),
        ("K", "a\nb"),
        ("K", "a\tb"),
        ("K", "a\\"),
        ("K", "a\\\\b"),
        ("K", "${a}"),
        ("1K", "x"),
        ("K K", "x"),
    ],
)
def test_what_no_line_can_hold_is_refused_without_the_value(key: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        with_value("", key, value)
    assert value == "x" or value not in str(caught.value)


@given(st.text(alphabet='aZ0 $"\\`#{}!~;&|<>()*?[]-é=', max_size=20))
def test_what_is_written_is_what_is_read(value: str) -> None:
    try:
        text = with_value("A=1\n", "K", value)
    except Invalid:
        assert "\\" in value or "${" in value
        return
    assert parse_env(text, "f") == {"A": "1", "K": value}
