"""DORA's figures, each definition by a record that would show another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from fairway.observe.attempts import read_attempts
from fairway.observe.dora import Dora, measure
from tests.unit.observe.records import NOW, entry, tag


def _measure(
    entries: Sequence[dict[str, Any]], committed: Mapping[str, Sequence[datetime]] | None = None, days: int = 28
) -> Dora:
    attempts = read_attempts("production", entries)
    begins = attempts[0].ended_at if attempts else None
    since = NOW - timedelta(days=days)
    return measure("production", attempts, since=since, now=NOW, committed=committed or {}, record_begins=begins)


def test_frequency_counts_releases_that_came_in_the_period() -> None:
    found = _measure(
        [
            entry(60, "deploy", "a"),
            entry(20, "deploy", "b", replaces="a"),
            entry(19, "restart", "b", replaces="b"),
            entry(18, "deploy", "b", replaces="b"),
            entry(17, "rollback", "a", replaces="b"),
            entry(10, "deploy", "c", "cancelled", replaces="a"),
            entry(9, "deploy", "c", replaces="a"),
        ]
    )
    assert (found.deployment_frequency.value, found.deployment_frequency.count) == (0.5, 2)


def test_a_record_younger_than_the_period_shortens_it_and_one_too_young_tells_nothing() -> None:
    assert _measure([entry(14, "deploy", "a")]).deployment_frequency.value == 0.5
    young = _measure([entry(2, "deploy", "a")]).deployment_frequency
    assert (young.value, young.count) == (None, 1)
    assert young.why == "1 deployment; the record covers 2.0 days of the period, 7 are needed"


def test_lead_time_is_the_median_over_commits_until_they_first_served() -> None:
    entries = [
        entry(60, "deploy", "a"),
        entry(20, "deploy", "b", replaces="a"),
        entry(15, "rollback", "a", replaces="b"),
        # The same release again brings no new change.
        entry(10, "deploy", "b", replaces="a"),
        entry(5, "deploy", "c", replaces="b"),
    ]
    arrived = NOW - timedelta(days=20)
    committed = {tag("b"): [arrived - timedelta(hours=h) for h in (1, 3, 50)]}
    found = _measure(entries, committed)
    assert (found.lead_time.value, found.lead_time.count) == (3 * 3600, 3)
    assert found.unknown == (tag("c"),)


def test_too_few_changes_give_no_lead_time() -> None:
    found = _measure([entry(20, "deploy", "a")], {tag("a"): [NOW - timedelta(days=21)]}).lead_time
    assert (found.value, found.count) == (None, 1)
    assert found.why


def test_failures_are_those_sent_back_failed_and_rolled_back_and_no_others() -> None:
    found = _measure(
        [
            entry(27, "deploy", "a"),
            entry(20, "deploy", "b", replaces="a"),
            entry(19.9, "rollback", "a", replaces="b"),
            entry(18, "deploy", "c", "failed", replaces="a", failed_in="ready"),
            entry(17, "deploy", "c", "failed", replaces="a", failed_in="soak", steps={"ready": 4.0, "switch": 0.1}),
            entry(16, "deploy", "c", "failed", replaces="a", error={"what": "no", "exit_code": 3}),
            entry(15, "deploy", "c", "cancelled", replaces="a"),
            entry(14, "deploy", "d", replaces="a"),
            entry(13, "rollback", "c", "failed", replaces="d", failed_in="ready"),
        ]
    )
    assert (found.attempts, found.sent_back, found.rolled_back, found.failed_unseen) == (5, 1, 1, 1)
    assert found.change_failure_rate.value == 3 / 5


def test_restoring_takes_from_what_visitors_met_to_what_was_before() -> None:
    found = _measure(
        [
            entry(27, "deploy", "a"),
            entry(20, "deploy", "b", replaces="a"),
            entry(19, "rollback", "a", replaces="b"),
            entry(17, "deploy", "c", "failed", replaces="a", failed_in="soak", steps={"ready": 4.0, "switch": 0.1}),
            entry(16, "deploy", "c", "failed", replaces="a", failed_in="ready"),
        ]
    )
    assert (found.time_to_restore.value, found.time_to_restore.count) == ((86400 + 6.0) / 2, 2)


def test_a_rollback_that_is_itself_gone_back_from_is_no_second_failure() -> None:
    found = _measure(
        [
            entry(27, "deploy", "a"),
            entry(20, "deploy", "b", replaces="a"),
            entry(19, "rollback", "a", replaces="b"),
            entry(18, "rollback", "b", replaces="a"),
            entry(17, "rollback", "a", replaces="b"),
        ]
    )
    assert found.rolled_back == 1


@pytest.mark.parametrize("entries", [[], [entry(20, "deploy", "a")]])
def test_where_there_is_too_little_nothing_is_claimed(entries: list[dict[str, Any]]) -> None:
    found = _measure(entries)
    for figure in (found.lead_time, found.change_failure_rate, found.time_to_restore):
        assert figure.value is None
        assert figure.why
    assert found.as_json()["change_failure_rate"]["value"] is None
