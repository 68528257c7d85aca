"""Telling goes on beside a deployment, keeps nothing from it, and says once what could not be told."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from fairway.announce import Announcements, Deployment, Ending, Kind
from fairway.announce.model import Announcer
from fairway.engine.contract.errors import Failed, Unreachable
from fairway.engine.contract.protocol import Outcome
from tests.unit.announce.records import COMMIT, accepted, ended, event, step


class Listener:
    """An announcer that keeps what it is told, or meets something."""

    name = "Listener"
    secrets = ("hunter2",)

    def __init__(self, meet: Callable[[], None] = lambda: None) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._meet = meet

    def begun(self, deployment: Deployment) -> None:
        self.heard.append(("begun", deployment))
        self._meet()

    def ended(self, deployment: Deployment, ending: Ending) -> None:
        self.heard.append(("ended", ending))
        self._meet()


def _told(
    *announcers: Announcer, result: Any = None, before: list[dict[str, Any]] | None = None, **options: Any
) -> list[str]:
    notices: list[str] = []
    telling = Announcements(announcers, notices.append, project="capakraken", environment="production", **options)
    for entry in [accepted(), *step("verify", 1, 1)] if before is None else before:
        telling.hear(event(entry))
    telling.ended(ended() if result is None else result)
    return notices


def test_each_hears_the_beginning_and_then_the_end() -> None:
    one, other = Listener(), Listener()
    assert _told(one, other, promoted=True, url="https://capakraken.example") == []
    for each in (one, other):
        (_, begun), (_, end) = each.heard
        assert (begun.kind, begun.commit, begun.production) == (Kind.PROMOTE, COMMIT, True)
        assert begun.url == "https://capakraken.example"
        assert (end.outcome, end.seconds, len(end.entries)) == (Outcome.SUCCEEDED, 9, 3)


@pytest.mark.parametrize("action, kind", [("rollback", Kind.ROLLBACK), ("restart", Kind.RESTART), ("new", Kind.DEPLOY)])
def test_what_it_is_for_is_what_the_host_accepted(action: str, kind: Kind) -> None:
    listener = Listener()
    _told(listener, before=[accepted(action)])
    assert listener.heard[0][1].kind is kind


@pytest.mark.parametrize("result", [ended("unchanged"), Failed("refused at the door")])
def test_of_what_no_host_accepted_nothing_is_told(result: Any) -> None:
    listener = Listener()
    assert _told(listener, before=[], result=result) == []
    assert listener.heard == []


def test_a_host_that_is_lost_sight_of_is_not_told_as_a_failure() -> None:
    listener = Listener()
    _told(listener, result=Unreachable("staging cannot be reached"))
    end = listener.heard[1][1]
    assert end.outcome is Outcome.UNKNOWN
    assert end.error.what == "staging cannot be reached"


def test_what_cannot_be_told_is_one_notice_without_a_token() -> None:
    def refuse() -> None:
        raise Failed("403 for\n  hunter2", why="no such right")

    def break_down() -> None:
        raise ValueError("hunter2")

    assert _told(Listener(refuse), Listener(break_down), problems=("traces: not installed",)) == [
        "not told: traces: not installed; Listener (403 for ***: no such right); Listener (ValueError)"
    ]


def test_a_service_that_does_not_answer_keeps_nobody() -> None:
    never = threading.Event()
    begun = time.monotonic()
    listener = Listener()

    def wait() -> None:
        never.wait(60)

    assert _told(Listener(wait), listener, patience_s=1.0) == ["not told: Listener (no answer in time)"]
    assert time.monotonic() - begun < 5
    assert len(listener.heard) == 2
    never.set()


def test_who_does_not_want_to_wait_for_it_does_not_interrupt_the_deployment_that_has_ended() -> None:
    never = threading.Event()
    told = 0

    def interrupt_at_the_end() -> None:
        nonlocal told
        told += 1
        if told == 2:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            never.wait(60)

    # A job in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        said = _told(Listener(interrupt_at_the_end), patience_s=30)
    finally:
        signal.signal(signal.SIGINT, before)
        never.set()
    assert said == ["not told: Listener (no answer in time)"]
