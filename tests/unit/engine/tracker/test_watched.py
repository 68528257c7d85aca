"""A deployment whose error tracker is asked: what becomes of it, and what goes on record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.manifest import Release
from fairway.engine.contract.names import Slot
from fairway.engine.contract.tracker import Service, Tracker
from fairway.engine.journal import read_journal
from fairway.engine.ledger import Ledger
from fairway.engine.tracker import asking
from tests.unit.engine.test_recovery import NEW, Scene, scene

TOKEN = "sntrys_c2VjcmV0LXRva2Vu"


class AtOnce:
    """A thread that is over when it has been started: time is simulated, and would pass it by."""

    def __init__(self, target: Callable[[], None], daemon: bool) -> None:
        self.start = target

    def is_alive(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairway.engine.tracker.tracking.Thread", AtOnce)


@pytest.fixture
def asked(release: Release) -> Iterator[Scene]:
    """A deployment of a release that names an error tracker, and a host that has a token for it."""
    tracker = Tracker("https://sentry.io", Service.SENTRY, "acme", "capakraken", "TRACKER_TOKEN")
    with scene(replace(release, errors=tracker)) as made:
        settings = made.layout.deploy_path / ".env.production"
        settings.write_text(f"{settings.read_text()}\nTRACKER_TOKEN={TOKEN}\n")
        yield made


def _answer(monkeypatch: pytest.MonkeyPatch, answer: bytes | Failed) -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []

    def ask(tracker: Tracker, path: str, token: str) -> bytes:
        heard.append((path, token))
        if isinstance(answer, Failed):
            raise answer
        return answer

    monkeypatch.setattr(asking, "ask", ask)
    return heard


def _entry(asked: Scene) -> dict[str, Any]:
    return Ledger(asked.layout.ledger).entries()[-1]


def test_a_release_without_new_issues_stays(asked: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = _answer(monkeypatch, b"[]")
    assert asked.run(lost_at=None)
    assert asked.check_legal() is Slot.GREEN
    assert _entry(asked)["tracker"]["new_issues"] == 0
    assert {token for _, token in heard} == {TOKEN}
    assert all(f"%22{asked.new.release.tag}%22" in path and "environment=staging" in path for path, _ in heard)


def test_new_issues_send_it_back_where_they_are_seen(asked: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer(monkeypatch, json.dumps([{"id": "1", "shortId": "CAPA-1", "title": f"KeyError: {TOKEN}"}]).encode())
    assert asked.run(lost_at=None)
    assert asked.check_legal() is Slot.BLUE
    entry = _entry(asked)
    assert (entry["outcome"], entry["failed_in"]) == ("failed", "canary")
    assert "CAPA-1: KeyError: [redacted]" in entry["error"]["why"]
    assert entry["tracker"]["issues"] == ["CAPA-1"]


def test_silence_sends_nothing_back_and_is_told_and_recorded(asked: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    _answer(monkeypatch, Failed("it answered 503"))
    assert asked.run(lost_at=None)
    assert asked.check_legal() is Slot.GREEN
    assert _entry(asked)["tracker"]["answered"] == 0
    assert _entry(asked)["tracker"]["problem"] == "it answered 503"
    lines = read_journal(asked.layout.deployment(NEW) / "journal.jsonl")
    told = [str(line["message"]) for line in lines if line["kind"] == "progress"]
    assert "the error tracker cannot be asked: it answered 503" in told


def test_a_host_without_the_token_says_which_key_is_missing(asked: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = _answer(monkeypatch, b"[]")
    settings = asked.layout.deploy_path / ".env.production"
    settings.write_text(settings.read_text().partition("\n")[0])
    assert asked.run(lost_at=None)
    assert asked.check_legal() is Slot.GREEN
    assert _entry(asked)["tracker"]["problem"] == ".env.production has no value for TRACKER_TOKEN"
    assert heard == []


def test_what_a_release_is_called_for_the_tracker_is_no_setting(asked: Scene) -> None:
    """So a slot that was started without it has the same fingerprint: it stays warm, and is no drift."""
    deployment = asked.deployment()
    assert deployment.launch.placement.defaults == {
        "SENTRY_RELEASE": asked.new.release.tag,
        "SENTRY_ENVIRONMENT": "staging",
    }
    assert not {"SENTRY_RELEASE", "SENTRY_ENVIRONMENT"} & set(deployment.settings)
