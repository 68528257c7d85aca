"""What a record's entries are taken for."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.observe.attempts import read_attempts
from tests.unit.observe.records import entry


@pytest.mark.parametrize(
    ("facts", "sent_back"),
    [
        ({"failed_in": "ready", "steps": {"pull": 1.0}}, False),
        ({"failed_in": "canary", "steps": {"ready": 1.0}}, True),
        ({"failed_in": "soak", "steps": {"ready": 1.0, "switch": 0.1}}, True),
        # Records from before the failing step was written down.
        ({"steps": {"ready": 1.0, "switch": 0.1}}, True),
        ({"steps": {"ready": 1.0}}, False),
        ({"error": {"what": "sha-4f2a9c1 does worse than the release before", "exit_code": 1}}, True),
        ({"failed_in": "verify", "error": {"what": "not approved", "exit_code": 3}}, False),
    ],
)
def test_a_release_was_sent_back_when_it_failed_with_visitors_on_it(facts: dict[str, Any], sent_back: bool) -> None:
    (one,) = read_attempts("production", [entry(1, "deploy", "b", "failed", **facts)])
    assert one.sent_back is sent_back


def test_visitors_met_it_from_the_first_of_the_traffic_on() -> None:
    steps = {"pull": 3.0, "ready": 2.0, "switch": 0.5}
    (one,) = read_attempts("production", [entry(1, "deploy", "b", "failed", steps=steps, failed_in="soak")])
    assert one.exposed_s == 5.0


@pytest.mark.parametrize(
    ("facts", "failed"),
    [
        ({"outcome": "failed"}, True),
        ({"outcome": "failed", "error": {"what": "not approved", "exit_code": 3}}, False),
        ({"outcome": "cancelled"}, False),
        ({"outcome": "succeeded"}, False),
    ],
)
def test_what_was_refused_or_cancelled_did_not_fail(facts: dict[str, Any], failed: bool) -> None:
    (one,) = read_attempts("production", [{**entry(1, "deploy", "b"), **facts}])
    assert one.failed is failed


def test_what_is_no_attempt_is_passed_over() -> None:
    others = [
        {"at": "2026-06-01T00:00:00.000Z", "action": "prune", "outcome": "succeeded"},
        {"at": "2026-06-01T00:00:00.000Z", "action": "deploy", "outcome": "praised", "tag": "x"},
        {"at": "yesterday", "action": "deploy", "outcome": "succeeded", "tag": "x"},
        {},
    ]
    assert read_attempts("production", others) == []
