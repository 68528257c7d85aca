"""What waits for somebody's approval, and what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fairway.dashboard.archive import Holding
from fairway.dashboard.observing import Sight
from fairway.dashboard.views.matrix import Coming, serving_in
from fairway.dashboard.views.release import Gate
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.statement import Kind
from fairway.observe.attempts import read_attempts, read_time

if TYPE_CHECKING:
    from fairway.registry import ArchivedStatement

#: So many of the newest are shown for each environment, and asked of its host.
MOST_WAITING = 5
MOST_DECISIONS = 50
_DECISIONS = (Kind.APPROVED, Kind.REJECTED, Kind.OVERRIDDEN)
_PROOFS = (Kind.READY, Kind.SOAKED)


@dataclass(frozen=True)
class Waiting:
    """A release that might go to an environment, proven in the one before, with what its gate says."""

    environment: str
    source: str
    tag: str
    release: str
    subject: str | None
    author: str | None
    created_at: datetime | None
    migrations: Coming | None
    gate: Gate


@dataclass(frozen=True)
class Queue:
    """What waits for an environment; ``approvals`` is how many reviewers it asks for. ``more`` were left off."""

    environment: str
    source: str
    approvals: int
    serves: str | None
    waiting: tuple[Waiting, ...]
    more: int


@dataclass(frozen=True)
class Decision:
    """What somebody decided.

    ``who`` is nobody, and ``valid`` None, where the environment's host was not asked.
    ``used_by`` is the deployment that rests on it.
    """

    kind: str
    environment: str
    tag: str
    at: datetime | None
    expires: datetime | None
    reason: str
    who: str | None
    valid: bool | None
    why: str
    used_by: str | None
    digest: str


@dataclass(frozen=True)
class Approvals:
    """What waits, and what was decided, the newest first; ``problem`` is why the archive could not be read."""

    queues: tuple[Queue, ...]
    decisions: tuple[Decision, ...]
    problem: dict[str, Any] | None
    problems: tuple[str, ...]


def candidates(target: Sight, source: Sight, holding: Holding) -> tuple[NamedRelease, ...]:
    """Return the releases that may wait to go to ``target``, the newest first.

    Proven in ``source``, by the archive's word or by its host's record, and newer than
    what serves in the target now.
    """
    serving = serving_in(target)
    before = holding.find(serving.get("tag"))
    ran = {one.tag for one in read_attempts(source.environment, source.entries) if one.succeeded}
    found = []
    for named in holding.releases:
        if named.release.tag == serving.get("tag"):
            continue
        if before is not None and named.release.created_at < before.release.created_at:
            break
        said = holding.said.get(named.name, ())
        proven = any(one.statement.kind in _PROOFS and one.statement.environment == source.environment for one in said)
        if proven or named.release.tag in ran:
            found.append(named)
    return tuple(found)


def decided(holding: Holding) -> tuple[ArchivedStatement, ...]:
    """Return what people decided, the newest first, of the releases whose statements are at hand."""
    found = [one for said in holding.said.values() for one in said if one.statement.kind in _DECISIONS]
    return tuple(sorted(found, key=lambda one: one.statement.at, reverse=True)[:MOST_DECISIONS])


def decision(
    one: ArchivedStatement, verdict: Mapping[str, Any] | None, used: Mapping[str, tuple[str, str]]
) -> Decision:
    """Return a decision; ``used`` are the deployments that rest on statements, with whose word those were."""
    statement = one.statement
    deployment, by = used.get(one.signed.digest, (None, None))
    who = verdict.get("who") if verdict is not None else by
    return Decision(
        kind=statement.kind.value,
        environment=statement.environment,
        tag=statement.tag,
        at=read_time(statement.at),
        expires=read_time(statement.expires) if statement.expires else None,
        reason=statement.reason or "",
        who=str(who) if who else None,
        valid=verdict.get("valid") is True if verdict is not None else None,
        why=str(verdict.get("why") or "") if verdict is not None else "",
        used_by=deployment,
        digest=one.signed.digest,
    )


def used_by(sights: Iterable[Sight]) -> dict[str, tuple[str, str]]:
    """Return which deployment rests on which statement, by the statement's digest, with whose word it was."""
    found: dict[str, tuple[str, str]] = {}
    for sight in sights:
        for entry in sight.entries:
            rested_on = entry.get("evidence")
            if entry.get("outcome") != "succeeded" or not isinstance(rested_on, list):
                continue
            for one in rested_on:
                if isinstance(one, dict):
                    found[str(one.get("statement"))] = (str(entry.get("deployment") or ""), str(one.get("by") or ""))
    return found
