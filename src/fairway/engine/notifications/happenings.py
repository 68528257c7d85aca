"""What is worth telling of a line of the record, or of one that the watcher wrote. Pure: a line in, a happening out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.engine.contract.protocol import Outcome
from fairway.engine.notifications.receivers import Event

# A deployment that failed in one of these had some of the traffic, or all of it.
_WITH_TRAFFIC = frozenset({"canary", "switch", "workers", "soak", "drain", "record"})
_SUCCEEDED = {
    "deploy": Event.DEPLOYED,
    "rollback": Event.ROLLED_BACK,
    "restart": Event.RESTARTED,
    "reconcile": Event.RESTARTED,
}
_BESIDE = {
    "backup": (None, Event.BACKUP_FAILED),
    "backup-copy": (None, Event.BACKUP_FAILED),
    "drill": (None, Event.DRILL_FAILED),
    "restore": (Event.RESTORED, Event.FAILED),
    "edge-upgrade": (Event.EDGE_UPGRADED, Event.FAILED),
    "lock": (Event.LOCKED, None),
    "unlock": (Event.UNLOCKED, None),
}
_WORDS = {
    "deploy": "the deployment",
    "rollback": "the rollback",
    "restart": "the restart",
    "reconcile": "bringing it back to the record",
    "backup": "the backup",
    "backup-copy": "the copy of the backups off the host",
    "drill": "the drill of the backup",
    "restore": "the restore",
    "edge-upgrade": "the upgrade of the edge",
}
_SEEN = {"down": Event.DOWN, "up": Event.UP, "drift": Event.DRIFT, "drift-ended": Event.DRIFT_ENDED}
#: The check of the gate that asks for people's words.
APPROVALS = "approvals"


@dataclass(frozen=True)
class Happening:
    """Something that happened.

    ``facts`` are what a template may show; one with the same ``once`` is a repeat, and is not told.
    """

    event: Event
    environment: str
    at: str
    facts: Mapping[str, str] = field(default_factory=dict)
    once: str = ""


def of_record(entry: Mapping[str, Any], environment: str) -> Happening | None:
    """Return what a line of the ledger tells, None when nobody is to be told."""
    action, outcome = str(entry.get("action")), str(entry.get("outcome"))
    event = _event(action, outcome, entry)
    if event is None:
        return None
    said = entry.get("error")
    error: Mapping[str, Any] = said if isinstance(said, dict) else {}
    facts = {
        "action": _WORDS.get(action, action),
        "tag": _short(entry.get("tag")),
        # Of one that could not be taken back nobody knows what serves; its error says how to see.
        "replaces": "" if "could not be undone" in str(error.get("why")) else _short(entry.get("replaces")),
        "by": _text(entry.get("by")),
        "took": _took(entry.get("seconds")),
        "step": _text(entry.get("failed_in")),
        "backup": _text(entry.get("backup")) if isinstance(entry.get("backup"), str) else "",
        "reason": _text(entry.get("reason")) or _text(entry.get("forced")),
        **_said(error, environment),
    }
    once = f"{entry.get('release')} {environment}" if event is Event.APPROVAL_WANTED else ""
    return Happening(event, environment, _text(entry.get("at")), facts, once)


def of_change(change: Mapping[str, Any], environment: str) -> Happening | None:
    """Return what a line of the watcher's tells, None for one of a kind that is not known here."""
    event = _SEEN.get(str(change.get("kind")))
    if event is None:
        return None
    facts = {
        "subject": _text(change.get("subject")),
        "what": _text(change.get("words")),
        "lasted": _took(change.get("seconds")),
    }
    return Happening(event, _text(change.get("environment")) or environment, _text(change.get("at")), facts)


def _event(action: str, outcome: str, entry: Mapping[str, Any]) -> Event | None:
    failed = outcome == Outcome.FAILED.value
    if action in _BESIDE:
        success, failure = _BESIDE[action]
        return failure if failed else success if outcome == Outcome.SUCCEEDED.value else None
    if action not in _SUCCEEDED:
        return None
    if outcome == Outcome.SUCCEEDED.value:
        return _SUCCEEDED[action]
    if outcome == Outcome.CANCELLED.value:
        return Event.CANCELLED
    if not failed:
        return None
    if entry.get("missing") == [APPROVALS]:
        return Event.APPROVAL_WANTED
    return Event.SENT_BACK if entry.get("failed_in") in _WITH_TRAFFIC else Event.FAILED


def _said(error: Mapping[str, Any], environment: str) -> dict[str, str]:
    said = {key: _text(error.get(name)) for key, name in (("what", "what"), ("why", "why"), ("next", "hint"))}
    return {key: text.replace("<environment>", environment) for key, text in said.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _short(tag: Any) -> str:
    return _text(tag)[:11]


def _took(seconds: Any) -> str:
    """Say how long something took or lasted, as people do; nothing when it is not known."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        return ""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
