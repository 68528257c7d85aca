"""Which releases can be gone back to, taken from the record without reading all of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from fairway.engine.contract.names import Digest
from fairway.engine.rollbacks import _SHOWN, _successes


def _release(number: int) -> Digest:
    return Digest(f"sha256:{number:064x}")


def _entry(number: int, action: str = "deploy", outcome: str = "succeeded", **steps: float) -> dict[str, Any]:
    tag = f"sha-{number:040x}"
    return {"release": _release(number), "tag": tag, "action": action, "outcome": outcome, "steps": steps}


def test_a_long_record_is_read_only_as_far_as_what_is_shown() -> None:
    read = []

    def endless() -> Iterator[dict[str, Any]]:
        for number in count():
            read.append(number)
            yield _entry(number, start=1.0)

    found = _successes(endless(), _release(0))
    assert [entry["release"] for entry in found] == [_release(number) for number in range(1, _SHOWN + 1)]
    assert len(read) == _SHOWN + 2


def test_what_a_cold_start_takes_is_told_by_the_newest_entry_that_knows() -> None:
    record = [
        _entry(1, "rollback", switch=0.1),
        _entry(1, start=3.0),
        _entry(1, start=9.0),
    ]
    (found,) = _successes(record, None)
    assert (found["action"], found["steps"]) == ("rollback", {"start": 3.0})


def test_a_failure_and_what_serves_are_nothing_to_go_back_to() -> None:
    record = [_entry(1, start=1.0), _entry(2, outcome="failed", start=1.0), {"action": "prune", "outcome": "succeeded"}]
    assert _successes(record, _release(1)) == []
