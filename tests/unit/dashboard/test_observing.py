"""What is kept of the hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fairway.dashboard import observing
from fairway.dashboard.observing import Observers, Sight
from fairway.engine.contract.protocol import Operation
from tests.unit.dashboard.hosts import Host, record, status


def _watch(host: Host, *until: Callable[[Sight], bool]) -> list[Sight]:
    """Look until each of these was seen, in turn; return what was known then."""
    observers = Observers(("staging",), lambda name: host)  # type: ignore[arg-type,return-value]
    observers.start()
    seen = []
    try:
        for reached in until:
            version = observers.version
            observers.each["staging"].look_now()
            while not reached(sight := observers.each["staging"].sight):
                heard = observers.wait(version, 10)
                assert heard > version, f"never seen, last: {sight}"
                version = heard
                if not reached(observers.each["staging"].sight):
                    observers.each["staging"].look_now()
            seen.append(sight)
    finally:
        observers.stop()
    return seen


def _operations(host: Host) -> list[Operation]:
    return [operation for operation, _ in host.asked]


def test_the_whole_record_is_read_once_and_then_what_has_come_since() -> None:
    host = Host()

    def grow(sight: Sight) -> bool:
        if len(sight.entries) == 3:
            host.entries = record(5)
        return len(sight.entries) == 3

    _, after = _watch(host, grow, lambda sight: len(sight.entries) == 5)
    assert [one["n"] for one in after.entries] == [1, 2, 3, 4, 5]
    assert _operations(host).count(Operation.LEDGER) == 1


def test_of_a_record_without_an_end_the_newest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "_MOST_ENTRIES", 10)
    host = Host()
    host.entries = record(30)

    def grow(sight: Sight) -> bool:
        if sight.entries:
            host.entries = record(35)
        return len(sight.entries) == 10

    _, after = _watch(host, grow, lambda sight: bool(sight.entries) and sight.entries[-1]["n"] == 35)
    assert [one["n"] for one in after.entries] == list(range(26, 36))


def test_a_record_that_grew_by_more_than_is_asked_for_is_read_anew() -> None:
    host = Host()

    def grow(sight: Sight) -> bool:
        if len(sight.entries) == 3:
            host.entries = record(200)
        return len(sight.entries) == 3

    _watch(host, grow, lambda sight: len(sight.entries) == 200)
    assert _operations(host).count(Operation.LEDGER) == 2


def test_what_was_heard_stays_beside_why_nothing_is_heard_now() -> None:
    host = Host()

    def lose(sight: Sight) -> bool:
        host.away = sight.status is not None
        return host.away

    def back(sight: Sight) -> bool:
        host.away = sight.error is None
        return sight.error is not None

    _, lost, found = _watch(host, lose, back, lambda sight: sight.error is None)
    assert lost.status is not None
    assert lost.error is not None
    assert lost.error.why == "connection refused"
    assert found.status is not None


def test_an_answer_that_cannot_be_read_is_an_error_and_not_the_end() -> None:
    host = Host()
    answers: list[Any] = [lambda: [1, 2], lambda: status()]
    host.answers[Operation.STATUS] = lambda: answers[0]()

    def mend(sight: Sight) -> bool:
        if sight.error is not None:
            answers[:] = answers[-1:]
        return sight.error is not None

    broken, mended = _watch(host, mend, lambda sight: sight.status is not None)
    assert broken.error is not None
    assert "cannot be read" in broken.error.what
    assert mended.error is None


def test_a_host_is_left_alone_while_nobody_looks() -> None:
    host = Host()
    observers = Observers(("staging",), lambda name: host)  # type: ignore[arg-type,return-value]
    observers.start()
    heard = observers.wait(0, 0.3)
    observers.stop()
    assert (heard, host.asked) == (0, [])
