"""The ledger: what a crash may do to it, what an alteration cannot hide, and what it costs when it is long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.engine.contract.chain import GENESIS, check_chain, entry_hash
from fairway.engine.contract.errors import Failed
from fairway.engine.files import lines_backwards
from fairway.engine.ledger import Ledger
from fairway.evidence.record import problems


def _ledger(path: Path, entries: int = 3) -> Ledger:
    ledger = Ledger(path)
    for number in range(entries):
        ledger.append(release=f"r{number}", tag=f"sha-{number}", outcome="succeeded" if number else "failed")
    return ledger


def _harm(path: Path, harm: str) -> None:
    lines = path.read_text().splitlines()
    if harm == "change":
        lines[0] = lines[0].replace("failed", "succeeded")
    elif harm == "remove":
        del lines[1]
    elif harm == "insert":
        lines.insert(1, json.dumps({"n": 2, "release": "r9", "outcome": "succeeded", "hash": "x", "prev": "y"}))
    elif harm == "renumber":
        entry = json.loads(lines[1])
        entry["n"] = 7
        entry["hash"] = entry_hash(entry)
        lines[1] = json.dumps(entry)
    path.write_text("\n".join(lines) + "\n")


def test_a_ledger_knows_what_has_run_with_success(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path / "l")
    assert ledger.has_run("r1")
    assert not ledger.has_run("r0")
    assert not ledger.has_run("r9")


def test_the_newest_entries_come_in_order_and_by_the_beginning_of_their_tag(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path / "l", entries=12)
    ledger.append(action="prune", outcome="succeeded")
    assert [entry["n"] for entry in ledger.newest(3)] == [11, 12, 13]
    assert [entry["tag"] for entry in ledger.newest(10, "sha-1")] == ["sha-1", "sha-10", "sha-11"]
    assert ledger.newest(10, "sha-7x") == []


@pytest.mark.parametrize(("harm", "line"), [("change", 1), ("remove", 2), ("insert", 2), ("renumber", 2)])
def test_a_ledger_that_was_altered_shows_where(tmp_path: Path, harm: str, line: int) -> None:
    ledger = _ledger(tmp_path / "l")
    assert ledger.verify().whole
    _harm(tmp_path / "l", harm)
    chain = ledger.verify()
    assert (chain.whole, chain.broken_at) == (False, line)
    with pytest.raises(Failed, match=f"line {line}"):
        ledger.entries()


def test_nothing_is_built_upon_a_last_entry_that_was_altered(tmp_path: Path) -> None:
    path = tmp_path / "l"
    ledger = _ledger(path, entries=1)
    _harm(path, "change")
    for use in (lambda: ledger.append(release="r4"), lambda: ledger.has_run("r0"), lambda: ledger.newest(1)):
        with pytest.raises(Failed, match="entry 1 of the ledger was altered"):
            use()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(cut=st.integers(min_value=0, max_value=900))
def test_a_ledger_cut_anywhere_goes_on_from_its_last_whole_entry(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "l"
    path.unlink(missing_ok=True)
    ledger = _ledger(path)
    path.write_bytes(path.read_bytes()[:cut])
    left = ledger.verify()
    assert left.whole
    ledger.append(release="r4", outcome="succeeded")
    after = ledger.verify()
    assert (after.whole, after.entries) == (True, left.entries + 1)
    assert ledger.has_run("r4")


def test_a_line_that_a_crash_cut_short_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "l"
    ledger = _ledger(path)
    path.write_bytes(path.read_bytes()[:-20])
    ledger.append(release="r4", outcome="succeeded")
    assert [entry["release"] for entry in ledger.entries()] == ["r0", "r1", "r4"]
    assert ledger.verify().torn == (3,)


def test_asking_and_extending_a_long_ledger_reads_its_end_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = _ledger(tmp_path / "l", entries=100)
    parsed = 0

    def count(entry: dict[str, Any]) -> str:
        nonlocal parsed
        parsed += 1
        return entry_hash(entry)

    monkeypatch.setattr("fairway.engine.ledger.entry_hash", count)
    ledger.append(release="r100", outcome="succeeded")
    assert ledger.has_run("r100")
    assert ledger.has_run("r42")
    assert not ledger.has_run("r999")
    assert parsed == 4  # the last one before it was extended, the new one's own, and one for each that was found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line)), block=st.integers(1, 20))
def test_lines_backwards_are_the_lines(tmp_path: Path, lines: list[bytes], block: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fairway.engine.files._BLOCK_BYTES", block)
        assert list(lines_backwards(path)) == [line for line in reversed(lines) if line]


def _entries(ledger: Ledger) -> tuple[dict[str, Any], ...]:
    return tuple(ledger.entries())


def test_a_host_that_says_the_truth_has_no_problems(tmp_path: Path) -> None:
    ledger = _ledger(tmp_path / "l")
    entries = _entries(ledger)
    here = check_chain(json.loads(json.dumps(entries)))
    assert problems(here, ledger.verify().as_json(), entries, entries[1]["hash"]) == []


def test_the_host_s_word_is_not_enough(tmp_path: Path) -> None:
    entries = _entries(_ledger(tmp_path / "l"))
    forged = ({**entries[0], "outcome": "succeeded"}, *entries[1:])
    here = check_chain(forged)
    claimed = check_chain(entries).as_json()
    found = problems(here, claimed, forged, "")
    assert found[0].startswith("line 1: its content is not what its hash says")
    assert found[1].startswith("the host says 3 entries")


def test_entries_that_the_host_keeps_back_are_missed(tmp_path: Path) -> None:
    entries = _entries(_ledger(tmp_path / "l"))
    here = check_chain(entries[:2])
    assert problems(here, check_chain(entries).as_json(), entries[:2], "")


def test_a_record_that_was_written_anew_lacks_what_was_noted_earlier(tmp_path: Path) -> None:
    noted = _entries(_ledger(tmp_path / "old"))[-1]["hash"]
    anew = _entries(_ledger(tmp_path / "new"))
    here = check_chain(anew)
    (problem,) = problems(here, here.as_json(), anew, noted)
    assert "written anew or cut short" in problem


def test_an_empty_record_holds_together() -> None:
    chain = check_chain([])
    assert (chain.whole, chain.entries, chain.head) == (True, 0, GENESIS)
