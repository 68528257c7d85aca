"""The file of what is known already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.errors import Invalid
from fairway.guardrails.baseline import Entry, compare, entries_of, fingerprint, read, write


@dataclass(frozen=True)
class Known:
    rule: str
    path: str
    text: str


findings = st.lists(
    st.builds(Known, st.sampled_from(["a", "b"]), st.sampled_from(["x.ts", "y.ts"]), st.text("f(1 \n)", max_size=4)),
    max_size=12,
)


@given(findings)
def test_what_was_written_is_known_and_nothing_of_it_is_stale(found: list[Known]) -> None:
    compared = compare(found, entries_of(found))
    assert (compared.new, compared.stale) == ((), ())
    assert list(compared.known) == found


@given(findings, findings)
def test_each_finding_beyond_those_known_is_new(before: list[Known], added: list[Known]) -> None:
    compared = compare([*before, *added], entries_of(before))
    assert len(compared.new) == len(added)
    assert compared.stale == ()


@given(findings)
def test_when_all_is_mended_all_is_stale(found: list[Known]) -> None:
    assert compare([], entries_of(found)).stale == entries_of(found)


def test_white_space_and_place_are_nothing_to_a_fingerprint_and_the_rest_is() -> None:
    one = fingerprint("a", "x.ts", "f(1, 2)")
    assert fingerprint("a", "x.ts", "f(\n  1,\n  2\n)") == one
    assert len({one, fingerprint("b", "x.ts", "f(1, 2)"), fingerprint("a", "y.ts", "f(1, 2)")}) == 3


def test_a_baseline_is_read_as_it_was_written_one_finding_a_line(tmp_path: Path) -> None:
    entries = entries_of([Known("a", "x.ts", 'f("ü")'), Known("a", "x.ts", 'f("ü")'), Known("b", "y.ts", "g()")])
    write(tmp_path / "deep" / "baseline.json", entries)
    assert read(tmp_path / "deep" / "baseline.json") == entries
    assert len((tmp_path / "deep" / "baseline.json").read_text().splitlines()) == len(entries) + 5
    write(tmp_path / "empty.json", [])
    assert read(tmp_path / "empty.json") == ()


def test_a_missing_baseline_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "none.json") == ()


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        {"version": 2, "findings": []},
        {"version": 1},
        {"version": 1, "findings": [1]},
        {"version": 1, "findings": [{"rule": "a"}]},
        {"version": 1, "findings": [{**vars(Entry("a", "b", "c", "d")), "count": 0}]},
        {"version": 1, "findings": [{**vars(Entry("a", "b", "c", "d")), "path": 3}]},
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, document: object) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(Invalid, match="baseline") as caught:
        read(file)
    assert "--write-baseline" in caught.value.hint
