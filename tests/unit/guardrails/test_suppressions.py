"""Comments that let a finding pass."""

from __future__ import annotations

import pytest

from fairway.guardrails.astgrep import Match
from fairway.guardrails.suppressions import apply, read


def comment(line: int, text: str, before: str = "", path: str = "a.ts") -> Match:
    return Match("c", path, line, len(before) + 1, text, before + text)


def match(line: int, rule: str = "r", path: str = "a.ts") -> Match:
    return Match(rule, path, line, 1, "code", "code")


@pytest.mark.parametrize(
    ("text", "rules", "reason"),
    [
        ("// fairway-ignore r: because", ("r",), "because"),
        ("# fairway-ignore r: because", ("r",), "because"),
        ("/* fairway-ignore r: because */", ("r",), "because"),
        ("// fairway-ignore r, s : of two", ("r", "s"), "of two"),
        ("// fairway-ignore r: see https://x.example/1", ("r",), "see https://x.example/1"),
        ("// fairway-ignore r", ("r",), ""),
        ("// fairway-ignore: because", (), "because"),
        ("// fairway-ignore", (), ""),
        ("// fairway-ignore r because", ("r",), ""),
    ],
)
def test_a_suppression_names_rules_and_a_reason(text: str, rules: tuple[str, ...], reason: str) -> None:
    (found,) = read([comment(1, text)])
    assert (found.rules, found.reason) == (rules, reason)


def test_one_behind_code_speaks_of_its_line_and_one_alone_of_the_next() -> None:
    behind, alone = read([comment(3, "// fairway-ignore r: x", "foo(); "), comment(5, "// fairway-ignore r: x", "  ")])
    assert (behind.covers, alone.covers) == (3, 6)


def test_several_in_a_row_speak_of_the_line_after_the_last() -> None:
    found = read([comment(1, "// fairway-ignore r: x"), comment(2, "// fairway-ignore s: y")])
    assert [one.covers for one in found] == [3, 3]


def test_one_of_several_lines_speaks_of_the_line_after_it() -> None:
    (found,) = read([comment(1, "/* fairway-ignore r: x\n   and more */")])
    assert found.covers == 3


def test_only_the_named_rule_in_that_file_on_that_line_passes() -> None:
    matches = [match(2), match(2, "s"), match(3), match(2, path="b.ts")]
    applied = apply(matches, read([comment(1, "// fairway-ignore r: x")]))
    assert applied.left == tuple(matches[1:])
    assert not applied.unused


def test_of_two_rules_the_one_that_is_not_needed_is_told() -> None:
    suppressions = read([comment(1, "// fairway-ignore r, s: x")])
    assert dict(apply([match(2)], suppressions).unused) == {suppressions[0]: ("s",)}
