"""What several hosts say of the same front door, put side by side."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.observe.uptime import outage_lines, share, views


def _answer(environment: str, *doors: dict[str, Any]) -> dict[str, Any]:
    return {"environment": environment, "at": "now", "doors": list(doors)}


def _door(environment: str, state: str = "up", *outages: dict[str, Any], why: str = "") -> dict[str, Any]:
    return {"environment": environment, "url": "https://x.org", "state": state, "why": why, "outages": list(outages)}


def test_what_another_host_sees_stands_beside_what_its_own_says() -> None:
    answers = {
        "staging": _answer("staging", _door("staging"), _door("production", "down", why="answered 503")),
        "production": _answer("production", _door("production")),
    }
    watchers = {"staging": ["staging"], "production": ["production", "staging"]}
    seen = views(["staging", "production"], watchers, answers)
    assert [(one.environment, one.seen_from, one.state, one.reason) for one in seen] == [
        ("staging", "staging", "up", ""),
        ("production", "production", "up", ""),
        ("production", "staging", "down", "answered 503"),
    ]


def test_a_host_that_is_away_or_was_not_told_yet_does_not_say_that_it_is_up() -> None:
    error = {"what": "www cannot be reached", "why": "refused", "hint": "", "exit_code": 5}
    answers: dict[str, Any] = {"production": {"error": error}, "staging": _answer("staging")}
    own, other = views(["production"], {"production": ["production", "staging"]}, answers)
    assert (own.state, own.reason) == ("unknown", "www cannot be reached: refused")
    assert (other.state, other.reason) == ("unknown", "its host does not look at it yet: fairway bootstrap staging")
    assert other.as_json()["availability"] == {"day": None, "week": None, "month": None}


def test_outages_come_newest_first_whoever_saw_them() -> None:
    first = {"began": "2026-06-30T10:00:00.000Z", "ended": "2026-06-30T10:03:00.000Z", "seconds": 180, "why": "a"}
    later = {"began": "2026-06-30T11:00:00.000Z", "ended": None, "seconds": None, "why": "b"}
    answers = {
        "staging": _answer("staging", _door("production", "down", later)),
        "production": _answer("production", _door("production", "up", first)),
    }
    seen = views(["production"], {"production": ["production", "staging"]}, answers)
    assert list(outage_lines(seen, 5)) == [
        ("production", "2026-06-30 11:00:00", "goes on", "staging", "b"),
        ("production", "2026-06-30 10:00:00", "3 min", "production", "a"),
    ]
    assert len(list(outage_lines(seen, 1))) == 1


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(1.0, "100%"), (0.999999, "99.99%"), (0.5, "50%"), (0.98765, "98.76%"), (0.0, "0%"), (None, "-")],
)
def test_what_was_not_always_up_is_never_whole(ratio: float | None, words: str) -> None:
    assert share(ratio) == words
