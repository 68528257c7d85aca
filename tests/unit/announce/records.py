"""A deployment as a host tells it, and as it is told on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fairway.announce import Deployment, Kind

COMMIT = "4f2a9c1" + "0" * 33
TAG = f"sha-{COMMIT}"
RELEASE = "sha256:" + "ab" * 32


def deployment(**changes: Any) -> Deployment:
    """Return a promotion to production."""
    facts: dict[str, Any] = {
        "project": "capakraken",
        "environment": "production",
        "kind": Kind.PROMOTE,
        "id": "20260131-120000-000000",
        "tag": TAG,
        "release": RELEASE,
        "by": "ada (CI)",
        "begun_at": datetime(2026, 1, 31, 12, tzinfo=UTC),
        "production": True,
        "url": "https://capakraken.example",
    }
    return Deployment(**{**facts, **changes})


def at(second: float) -> str:
    """Return a time of the host, so many seconds after it has accepted."""
    return f"2026-01-31T12:00:{second:06.3f}Z"


def accepted(action: str = "deploy") -> dict[str, Any]:
    """Return the line by which a host accepts."""
    return {
        "at": at(0),
        "kind": "accepted",
        "deployment": "20260131-120000-000000",
        "action": action,
        "tag": TAG,
        "release": RELEASE,
        "slot": "blue",
        "by": "ada (CI)",
        "host": "production",
    }


def step(name: str, begun: float, seconds: float, mark: str = "done", message: str = "well") -> list[dict[str, Any]]:
    """Return a step's two lines."""
    return [
        {"at": at(begun), "kind": "step", "step": name, "mark": "started"},
        {
            "at": at(begun + seconds),
            "kind": "step",
            "step": name,
            "mark": mark,
            "message": message,
            "seconds": seconds,
        },
    ]


def ended(outcome: str = "succeeded", second: float = 9, **facts: Any) -> dict[str, Any]:
    """Return a journal's last line."""
    return {"at": at(second), "kind": "ended", "outcome": outcome, "tag": TAG, "seconds": second, **facts}


def event(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a line of a journal as it comes over the connection."""
    return {"kind": "journal", "entry": entry}
