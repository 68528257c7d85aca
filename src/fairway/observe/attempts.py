"""The attempts to change what serves, out of a host's record; what else is on it, such as a backup, is passed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from fairway.engine.contract.errors import Refused
from fairway.engine.contract.protocol import Outcome

# A deployment that failed in one of these had some of the traffic, or all of it.
_TRAFFIC_STEPS = frozenset({"canary", "switch", "workers", "soak", "drain", "record"})
# A time beyond these is none of a host's, and cannot be reckoned with in every zone.
_YEARS = range(1970, 3000)


class Kind(Enum):
    """What was attempted."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RESTART = "restart"
    RECONCILE = "reconcile"


@dataclass(frozen=True)
class Attempt:
    """One attempt, as the host recorded it when it ended.

    ``steps`` are the seconds of those that were done; ``failed_in`` is the step that
    failed, None in a record from before that was written. ``refused`` is one that the
    host did not let begin, by its evidence or its policy. ``deployment`` is the host's name for it.
    """

    environment: str
    ended_at: datetime
    kind: Kind
    outcome: Outcome
    tag: str
    replaces: str | None
    by: str
    seconds: float
    steps: Mapping[str, float]
    failed_in: str | None
    refused: bool
    error: str
    deployment: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the release serves since then."""
        return self.outcome is Outcome.SUCCEEDED

    @property
    def changes(self) -> bool:
        """Whether it was to bring another release than the one that served."""
        return self.kind is Kind.DEPLOY and self.tag != self.replaces

    @property
    def failed(self) -> bool:
        """Whether the release failed; one that was refused did not begin, and one that was cancelled was not let."""
        return self.outcome is Outcome.FAILED and not self.refused

    @property
    def sent_back(self) -> bool:
        """Whether it failed with visitors on it, so that traffic went back to the release before."""
        if not self.failed:
            return False
        if self.failed_in is not None:
            return self.failed_in in _TRAFFIC_STEPS
        return bool(_TRAFFIC_STEPS & self.steps.keys()) or "does worse than the release before" in self.error

    @property
    def exposed_s(self) -> float:
        """For how long, at most, visitors met one that was sent back: from the first of the traffic to the end."""
        return max(0.0, self.seconds - sum(s for step, s in self.steps.items() if step not in _TRAFFIC_STEPS))

    @property
    def begun_at(self) -> datetime:
        """When the host began it."""
        return self.ended_at - timedelta(seconds=self.seconds)


def read_attempts(environment: str, entries: Iterable[Mapping[str, Any]]) -> list[Attempt]:
    """Return the attempts among a record's entries, in its order."""
    found = (_attempt(environment, entry) for entry in entries)
    return [attempt for attempt in found if attempt is not None]


def read_time(text: str) -> datetime | None:
    """Read a time of a record; None when it is not one."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.year not in _YEARS:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _attempt(environment: str, entry: Mapping[str, Any]) -> Attempt | None:
    try:
        kind, outcome = Kind(entry.get("action")), Outcome(entry.get("outcome"))
    except ValueError:
        return None
    ended_at = read_time(str(entry.get("at")))
    if ended_at is None or not entry.get("tag"):
        return None
    error, steps = entry.get("error"), entry.get("steps")
    told = error if isinstance(error, dict) else {}
    return Attempt(
        environment=environment,
        ended_at=ended_at,
        kind=kind,
        outcome=outcome,
        tag=str(entry["tag"]),
        replaces=str(entry["replaces"]) if entry.get("replaces") else None,
        by=str(entry.get("by") or ""),
        seconds=_seconds(entry.get("seconds")),
        steps={str(step): _seconds(took) for step, took in steps.items()} if isinstance(steps, dict) else {},
        failed_in=str(entry["failed_in"]) if entry.get("failed_in") else None,
        refused=told.get("exit_code") == Refused.exit_code,
        error=str(told.get("what") or ""),
        deployment=str(entry.get("deployment") or ""),
    )


def _seconds(value: Any) -> float:
    # Beyond these it is no time that anything takes, and cannot be reckoned with.
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e9 else 0.0
