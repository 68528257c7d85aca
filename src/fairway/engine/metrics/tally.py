"""Count what the ledger has: deployments by how they ended and how long they took, and the last of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.protocol import Outcome
from fairway.engine.deployment import Action
from fairway.engine.metrics.exposition import Family, Kind, Sample, gauge, number

#: Upper bounds in seconds: a warm rollback is below the first, a migration that takes its time below the last.
BUCKETS = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, float("inf"))
#: How a deployment or a drill that is on the record has ended.
OUTCOMES = (Outcome.SUCCEEDED.value, Outcome.FAILED.value, Outcome.CANCELLED.value)
_DEPLOYMENT = "deployment"
_ACTIONS = tuple(action.value for action in Action)
_BESIDE = ("backup", "drill", "backup-copy")


@dataclass
class Durations:
    """How long something took, counted into the buckets."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one: a bucket holds everything up to its bound."""
        for place, bound in enumerate(BUCKETS):
            if seconds <= bound:
                self.counts[place] += 1
        self.sum_s += seconds

    def samples(self, action: str) -> Iterator[Sample]:
        """Return a histogram's values."""
        for bound, count in zip(BUCKETS, self.counts):
            yield Sample(count, {"action": action, "le": number(bound)}, "_bucket")
        yield Sample(self.sum_s, {"action": action}, "_sum")
        yield Sample(self.counts[-1], {"action": action}, "_count")


@dataclass
class Tally:
    """What was counted."""

    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    durations: dict[str, Durations] = field(default_factory=lambda: {action: Durations() for action in _ACTIONS})
    #: The newest entry of a kind: how it ended.
    last: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: When the newest of a kind ended in this way, in seconds since 1970.
    last_at: dict[tuple[str, str], float] = field(default_factory=dict)

    def deployments(self) -> Iterator[Family]:
        """Yield what there is to say of deployments. Counters are there from the start, so that the first one shows."""
        yield Family(
            "fairway_deployments_total",
            Kind.COUNTER,
            "Deployments on this host's record, by what they were for and how they ended.",
            tuple(
                Sample(self.ended[action, outcome], {"action": action, "outcome": outcome})
                for action in _ACTIONS
                for outcome in OUTCOMES
            ),
        )
        yield Family(
            "fairway_deployment_duration_seconds",
            Kind.HISTOGRAM,
            "How long deployments took, whatever came of them.",
            tuple(sample for action, found in self.durations.items() for sample in found.samples(action)),
        )
        yield gauge(
            "fairway_last_deployment_timestamp_seconds",
            "When the last deployment that ended so did so.",
            *self._times(_DEPLOYMENT, *OUTCOMES),
        )
        yield gauge(
            "fairway_last_deployment_outcome",
            "How the last deployment ended: 1 for that outcome, 0 for the others.",
            *self._outcomes(_DEPLOYMENT),
        )

    def upkeep(self) -> Iterator[Family]:
        """Yield how the last backup, drill and copy ended."""
        for kind, name in (("backup", "backup"), ("drill", "drill"), ("backup-copy", "backup_copy")):
            yield gauge(
                f"fairway_{name}_last_outcome",
                f"How the last {kind.replace('-', ' ')} ended: 1 for that outcome, 0 for the others.",
                *self._outcomes(kind),
            )
            if kind != "backup":  # a backup that is there says itself when it was taken
                yield gauge(
                    f"fairway_{name}_last_success_timestamp_seconds",
                    f"When the last {kind.replace('-', ' ')} that succeeded did so.",
                    *(Sample(each.value) for each in self._times(kind, Outcome.SUCCEEDED.value)),
                )
        if "drill" in self.last:
            yield gauge(
                "fairway_drill_last_restored",
                "Whether the last drill restored the backup (1) or could only compare its bytes (0).",
                Sample(bool(self.last["drill"].get("restored"))),
            )

    def success_at(self, kind: str) -> float | None:
        """Return when the newest of a kind succeeded, None when none did."""
        return self.last_at.get((kind, Outcome.SUCCEEDED.value))

    def _times(self, kind: str, *outcomes: str) -> tuple[Sample, ...]:
        return tuple(
            Sample(self.last_at[kind, outcome], {"outcome": outcome})
            for outcome in outcomes
            if (kind, outcome) in self.last_at
        )

    def _outcomes(self, kind: str) -> tuple[Sample, ...]:
        if kind not in self.last:
            return ()
        return tuple(Sample(self.last[kind].get("outcome") == outcome, {"outcome": outcome}) for outcome in OUTCOMES)


def tally(entries: Iterable[dict[str, Any] | None]) -> Tally:
    """Count entries, the oldest first. What an entry says that this does not know is passed over."""
    counted = Tally()
    for entry in entries:
        action = str((entry or {}).get("action"))
        if entry is None or action not in (*_ACTIONS, *_BESIDE):
            continue
        outcome = str(entry.get("outcome"))
        kind = action if action in _BESIDE else _DEPLOYMENT
        counted.last[kind] = {"outcome": outcome, "restored": entry.get("restored")}
        at = _moment(entry.get("at"))
        if at is not None:
            counted.last_at[kind, outcome] = at
        if kind == _DEPLOYMENT:
            counted.ended[action, outcome] += 1
            seconds = entry.get("seconds")
            if isinstance(seconds, (int, float)) and seconds >= 0:
                counted.durations[action].add(float(seconds))
    return counted


def _moment(text: object) -> float | None:
    try:
        return clock.parse(str(text)).timestamp()
    except ValueError:
        return None
