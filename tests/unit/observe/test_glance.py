"""An environment at a glance."""

from __future__ import annotations

from typing import Any

from fairway.observe.glance import glance
from tests.unit.observe.records import NOW, tag


def _status(**facts: Any) -> dict[str, Any]:
    slot = {"tag": tag("a"), "container": "running", "health": None, "connections": 3, "active": True}
    gone = {"tag": None, "container": "none", "health": None, "connections": None, "active": False}
    return {
        "serving": {"tag": tag("a"), "slot": "blue", "since": "2026-06-30T10:00:00.000Z", "by": "ada"},
        "previous": None,
        "slots": {"blue": slot, "green": gone},
        "drift": [],
        "deploying": False,
        "deployment": None,
        **facts,
    }


def test_all_is_well() -> None:
    seen = glance("staging", _status())
    assert (seen.serves, seen.trouble, seen.notes, seen.age(NOW)) == ("sha-aaaaaaa", False, (), "2 h")
    assert seen.slots == ("blue serves: sha-aaaaaaa running, 3 open",)
    assert seen.row == ("staging", "sha-aaaaaaa", "blue", "2026-06-30 10:00:00", "ada", "nothing yet")


def test_drift_is_trouble_and_says_what_to_do() -> None:
    seen = glance("staging", _status(drift=["app-blue was replaced"]))
    assert seen.trouble
    assert seen.notes == (
        "drift: app-blue was replaced",
        "to bring it back to the record: fairway reconcile staging --plan",
    )


def test_nothing_that_serves_and_nobody_that_answers_are_trouble() -> None:
    assert glance("staging", _status(serving=None)).trouble
    away = glance("staging", {"error": {"what": "away", "why": "refused", "hint": "look"}})
    assert (away.trouble, away.serves, away.age(NOW)) == (True, "unknown", "")
    assert "why: refused" in away.notes[0]


def test_a_lock_and_a_running_deployment_are_told() -> None:
    locked = {"by": "bo", "since": "2026-06-30T11:00:00.000Z", "reason": "tax season"}
    running = {"purpose": "deploy", "by": "ada", "since": "now"}
    seen = glance("staging", _status(locked=locked, deploying=True, deployment=running))
    assert seen.name == "staging (locked)"
    assert "tax season" in seen.notes[0]
    assert seen.notes[1].endswith("fairway attach staging")
    assert not seen.trouble


def test_a_front_door_that_is_down_is_trouble_and_one_that_nobody_looks_at_is_told() -> None:
    door = {"environment": "staging", "url": "https://x.org", "state": "down", "why": "answered 503"}
    since = {"since": "2026-06-30T11:00:00.000Z"}
    seen = glance("staging", _status(uptime=[{**door, **since}]))
    assert seen.trouble
    assert seen.notes == ("the front door is down since 2026-06-30 11:00:00, https://x.org: answered 503",)
    other = glance("staging", _status(uptime=[{**door, **since, "environment": "production"}]))
    assert other.notes[0].startswith("the front door of production, seen from here, is down since")
    unseen = glance("staging", _status(uptime=[{**door, "state": "unknown", "since": None, "why": "nobody looks"}]))
    assert (unseen.trouble, unseen.notes) == (False, ("the front door is unknown, https://x.org: nobody looks",))
    assert glance("staging", _status(uptime=[{**door, **since, "state": "up"}])).notes == ()
    assert glance("staging", _status(uptime=None)).notes == ()
