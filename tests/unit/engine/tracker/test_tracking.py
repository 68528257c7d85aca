"""Several looks while a release is watched: what is told, what is judged, what goes on record."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from fairway.engine import clock
from fairway.engine.contract.tracker import Service, Tracker
from fairway.engine.tracker.issues import Issue
from fairway.engine.tracker.tracking import Look, Tracking

TRACKER = Tracker("https://sentry.io", Service.SENTRY, "acme", "capakraken", "TOKEN")
NEW = Issue("CAPA-7", "KeyError", "https://x/7")
QUIET, FOUND, DOWN = Look(), Look((NEW,)), Look(problem="it answered 503")
NOT_ASKED = "the error tracker cannot be asked"


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "monotonic", made.monotonic)
    return made


def watched(time: Clock, *looks: Look) -> tuple[Tracking, list[str]]:
    """Watch for a minute, one look after the other and the last one at the end; return it with what was told."""
    answers: Iterator[Look] = iter(looks)
    tracking = Tracking(TRACKER, lambda: next(answers), 60.0)
    told = []
    for _ in looks[:-1]:
        told.append(tracking.step())
        if tracking._under_way is not None:
            tracking._under_way.join(5)
        told.append(tracking.step())
        time.now += 3.0
    told.append(tracking.finish(lambda: None))
    return tracking, [line for line in told if line]


@pytest.mark.parametrize(
    ("looks", "told", "sent_back"),
    [
        ([QUIET, QUIET], ["the error tracker has no new issues"], False),
        ([QUIET, FOUND], ["the error tracker has no new issues", "the error tracker has 1 new issue"], True),
        ([DOWN, DOWN], [f"{NOT_ASKED}: it answered 503"], False),
        ([DOWN, QUIET], [f"{NOT_ASKED}: it answered 503", "the error tracker has no new issues"], False),
        ([FOUND, DOWN], ["the error tracker has 1 new issue", f"{NOT_ASKED}: it answered 503"], True),
    ],
)
def test_what_is_told_is_told_once_and_silence_sends_nothing_back(
    time: Clock, looks: list[Look], told: list[str], sent_back: bool
) -> None:
    tracking, said = watched(time, *looks)
    assert said == told
    assert (tracking.reason is not None) is sent_back


@pytest.mark.parametrize(
    ("looks", "facts"),
    [
        ([QUIET, FOUND], {"looks": 2, "answered": 2, "new_issues": 1, "issues": ["CAPA-7"], "problem": ""}),
        ([QUIET, DOWN], {"looks": 2, "answered": 1, "new_issues": 0, "issues": [], "problem": "it answered 503"}),
        ([DOWN, DOWN], {"looks": 2, "answered": 0, "new_issues": None, "issues": [], "problem": "it answered 503"}),
    ],
)
def test_the_record_says_how_often_it_answered(time: Clock, looks: list[Look], facts: dict[str, object]) -> None:
    assert watched(time, *looks)[0].facts == facts


def test_it_is_not_asked_more_often_than_it_should_be(time: Clock) -> None:
    tracking = Tracking(TRACKER, lambda: QUIET, 3600.0)
    for _ in range(100):
        tracking.step()
        if tracking._under_way is not None:
            tracking._under_way.join(5)
        time.now += 1.0
    assert tracking.looks == 4  # at once, then every 30 s


def test_one_that_hangs_holds_nothing_up(time: Clock) -> None:
    over = threading.Event()

    def hang() -> Look:
        over.wait(30)
        return FOUND

    tracking = Tracking(TRACKER, hang, 60.0)
    assert [tracking.step() for _ in range(50)] == [""] * 50

    def wait() -> None:
        time.now += 1.0

    assert tracking.finish(wait) == "the error tracker cannot be asked: it did not answer in time"
    assert time.now < 20
    assert (tracking.looks, tracking.facts["problem"]) == (1, "it did not answer in time")
    over.set()
