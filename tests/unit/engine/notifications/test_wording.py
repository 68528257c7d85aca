"""What a line of the record says to people: which event it is, its words, and what these must not do."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.engine.notifications.happenings import of_change, of_record
from fairway.engine.notifications.plain import harmless, line, lines
from fairway.engine.notifications.receivers import Event
from fairway.engine.notifications.wording import MAX_BODY, MAX_TITLE, TEMPLATES, Message, message

AT = "2026-01-31T12:00:03.123Z"
NEW, OLD = "sha-" + "4f" * 20, "sha-" + "11" * 20
DEPLOY = {"n": 7, "at": AT, "action": "deploy", "tag": NEW, "replaces": OLD, "release": "sha256:" + "ab" * 32}
DONE = {**DEPLOY, "by": "ann@laptop", "seconds": 12.2, "outcome": "succeeded"}
ERROR = {"what": "it is not ready", "why": "503 from GET /api/ready", "hint": "see: fairway logs <environment>"}
FAILED = {**DONE, "outcome": "failed", "failed_in": "ready", "error": ERROR}


def told(entry: dict[str, Any]) -> Message:
    happening = of_record(entry, "production")
    assert happening is not None
    return message(happening, "shop", lambda text: text)


@pytest.mark.parametrize(
    ("entry", "event"),
    [
        (DONE, Event.DEPLOYED),
        ({**DONE, "action": "rollback"}, Event.ROLLED_BACK),
        ({**DONE, "action": "restart"}, Event.RESTARTED),
        ({**DONE, "outcome": "cancelled"}, Event.CANCELLED),
        (FAILED, Event.FAILED),
        ({**FAILED, "action": "rollback"}, Event.FAILED),
        *(({**FAILED, "failed_in": step}, Event.SENT_BACK) for step in ("canary", "switch", "workers", "soak")),
        ({**FAILED, "failed_in": "verify", "missing": ["approvals"]}, Event.APPROVAL_WANTED),
        ({**FAILED, "failed_in": "verify", "missing": ["approvals", "frozen window"]}, Event.FAILED),
        ({**FAILED, "failed_in": None}, Event.FAILED),
        ({"action": "backup", "outcome": "failed"}, Event.BACKUP_FAILED),
        ({"action": "backup-copy", "outcome": "failed"}, Event.BACKUP_FAILED),
        ({"action": "backup", "outcome": "succeeded"}, None),
        ({"action": "drill", "outcome": "failed"}, Event.DRILL_FAILED),
        ({"action": "restore", "outcome": "succeeded"}, Event.RESTORED),
        ({"action": "restore", "outcome": "failed"}, Event.FAILED),
        ({"action": "edge-upgrade", "outcome": "failed"}, Event.FAILED),
        ({"action": "lock", "outcome": "succeeded"}, Event.LOCKED),
        ({"action": "prune", "outcome": "succeeded"}, None),
        ({"action": "of-a-later-version", "outcome": "failed"}, None),
        ({}, None),
    ],
)
def test_a_line_of_the_record_is_an_event_or_none(entry: dict[str, Any], event: Event | None) -> None:
    found = of_record(entry, "production")
    assert (found.event if found else None) is event


def test_a_deployment_that_succeeded_is_told_with_who_and_what_it_replaces() -> None:
    said = told(DONE)
    assert said.title == "shop production: sha-4f4f4f4 serves"
    assert said.body == "Deployed by ann@laptop in 12 s, at 2026-01-31 12:00 UTC.\nIt replaces sha-1111111."
    first = told({**DONE, "replaces": None})
    assert "replaces" not in first.body


def test_one_that_failed_is_told_with_the_reason_what_to_do_and_what_serves() -> None:
    said = told(FAILED)
    assert said.title == "shop production: the deployment of sha-4f4f4f4 failed"
    assert said.body.splitlines() == [
        "it is not ready",
        "Why: 503 from GET /api/ready",
        "Next: see: fairway logs production",
        "What served before serves: sha-1111111",
        "At 2026-01-31 12:00 UTC, the deployment by ann@laptop, after 12 s, in the step ready",
    ]
    stuck = told({**FAILED, "error": {**ERROR, "why": "x\nand it could not be undone: y"}})
    assert "What served before" not in stuck.body


def test_a_change_that_the_watcher_saw_is_told_with_how_long_it_lasted() -> None:
    change = {"id": "000001", "at": AT, "kind": "up", "environment": "production", "seconds": 312.0}
    happening = of_change({**change, "subject": "https://shop.example.com", "words": "it answers again"}, "staging")
    assert happening is not None
    said = message(happening, "shop", lambda text: text)
    assert said.title == "shop production: up again: https://shop.example.com"
    assert said.body == "it answers again\nAt 2026-01-31 12:00 UTC, after 5 min"
    assert of_change({**change, "kind": "of a later version"}, "staging") is None


@pytest.mark.parametrize("event", Event)
def test_every_event_has_words_also_when_hardly_anything_is_known(event: Event) -> None:
    from fairway.engine.notifications.happenings import Happening

    said = message(Happening(event, "production", AT), "shop", lambda text: text)
    assert said.kind in ("info", "success", "warning", "failure")
    assert "$" not in said.title + said.body
    assert not said.title.endswith((":", " "))
    assert event in TEMPLATES


def test_a_long_reason_keeps_its_beginning_and_its_end() -> None:
    why = "first words\n" + "x" * 5000 + "\nlast words"
    said = told({**FAILED, "tag": "sha-" + "9" * 500, "error": {**ERROR, "why": why}})
    assert len(said.body) <= MAX_BODY
    assert len(said.title) <= MAX_TITLE
    assert "first words" in said.body
    assert "last words" in said.body


def test_a_secret_is_taken_out_before_anything_is_cut_or_replaced() -> None:
    happening = of_record({**FAILED, "error": {**ERROR, "why": "got se\tcr\u202eet"}}, "production")
    assert happening is not None
    said = message(happening, "shop", lambda text: text.replace("se\tcr\u202eet", "[redacted]"))
    assert "Why: got [redacted]" in said.body


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x07", "a [31mred"),
        ("a\r\nb\tc", "a b c"),
        ("left\u202eright\u2066x", "left right x"),
        ("nul\x00", "nul"),
        ("zero\u200bwidth\ufeff", "zero width"),
        ("grün ✓ 日本", "grün ✓ 日本"),
    ],
)
def test_what_cannot_be_seen_is_not_there(text: str, shown: str) -> None:
    assert line(text, 100) == shown


def test_the_lines_of_a_log_stay_lines() -> None:
    assert lines("one\r\n\n  two \x1b[0m\nthree", 100) == "one\n  two  [0m\nthree"


@pytest.mark.parametrize(
    "text",
    [
        "@everyone",
        "x@here",
        "hello @channel!",
        "@ann",
        "<!channel>",
        "<@U024BE7LH>",
        "<#C024BE7LR>",
        "<b>bold</b>",
        "<script>",
        "[a bank](https://evil.example)",
    ],
)
def test_nothing_is_a_mention_a_tag_or_a_link_under_another_name(text: str) -> None:
    shown = harmless(text)
    assert text not in shown
    assert shown.replace("\u200b", "") == text


@pytest.mark.parametrize("text", ["ann@example.com", "3 < 4 > 2", "list[0] (first)", "image@sha256:4f4f"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text
