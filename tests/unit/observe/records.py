"""Entries as a host writes them into its record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


def tag(letter: str) -> str:
    """Return the tag of a release of this name."""
    return f"sha-{letter * 40}"


def entry(days_ago: float, action: str, letter: str, outcome: str = "succeeded", **facts: Any) -> dict[str, Any]:
    """Return an entry; ``replaces`` is given as a letter, too."""
    at = NOW - timedelta(days=days_ago)
    replaces = facts.pop("replaces", None)
    return {
        "at": at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "action": action,
        "outcome": outcome,
        "tag": tag(letter),
        "replaces": tag(replaces) if replaces else None,
        "by": "ada",
        "seconds": 10.0,
        **facts,
    }
