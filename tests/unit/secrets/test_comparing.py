from __future__ import annotations

from typing import Any

import pytest

from fairway.secrets.comparing import compare, names_only, needed_and_missing, unexpected


def row(key: str, state: str = "present", fingerprint: str = "", rule: str = "required") -> dict[str, Any]:
    needed = "required" if rule == "required" else ""
    return {"key": key, "state": state, "rule": rule, "needed": needed, "length": 3, "fingerprint": fingerprint}


@pytest.mark.parametrize(
    ("first", "second", "equal", "one_sided"),
    [
        ([row("A", fingerprint="x")], [row("A", fingerprint="x")], True, False),
        ([row("A", fingerprint="x")], [row("A", fingerprint="y")], False, False),
        ([row("A", fingerprint="x")], [], None, True),
        ([row("A", fingerprint="x")], [row("A", "empty")], None, True),
        ([], [row("A", fingerprint="x")], None, True),
        ([row("A", "empty")], [row("A", "missing")], None, False),
        ([row("A", "empty")], [], None, False),
    ],
)
def test_two_hosts_compare_by_name_and_fingerprint(
    first: list[dict[str, Any]], second: list[dict[str, Any]], equal: bool | None, one_sided: bool
) -> None:
    (found,) = compare(first, second)
    assert (found.equal, found.one_sided) == (equal, one_sided)


def test_without_fingerprints_nothing_is_said_of_values() -> None:
    first, second = [row("A", fingerprint="x"), row("B")], [row("A", fingerprint="y")]
    found = compare(names_only(first), names_only(second))
    assert [(one.key, one.equal, one.one_sided) for one in found] == [("B", None, True), ("A", None, False)]


def test_what_only_one_has_comes_first() -> None:
    found = compare([row("A", fingerprint="x"), row("B")], [row("A", fingerprint="x")])
    assert [one.key for one in found] == ["B", "A"]


def test_what_is_needed_and_missing_is_told_apart_from_what_is_unknown() -> None:
    source = [
        row("A"),
        row("B", rule="not declared"),
        row("C", rule="optional"),
        row("D", "empty", rule="not declared"),
    ]
    target = [row("A", "empty"), row("C", "missing", rule="optional")]
    assert needed_and_missing(target) == {"A": "required"}
    assert unexpected(source, target) == ["B"]
    assert unexpected(source, [*target, row("B", rule="not declared")]) == []
