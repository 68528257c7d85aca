"""Releases by environments: what became of each release where, and what was said of it there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fairway.dashboard.archive import Holding
from fairway.dashboard.observing import Sight
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.migrations import Verdict
from fairway.engine.contract.protocol import Outcome
from fairway.engine.contract.statement import Kind, Statement
from fairway.evidence.review import Judged, compare_shipped
from fairway.observe.attempts import Attempt, read_attempts, read_time
from fairway.observe.timeline import Event, tell

if TYPE_CHECKING:
    from fairway.registry import ArchivedStatement

PAGE_SIZE = 30
_GRAVEST = (Verdict.CONTRACT.value, Verdict.REVIEW.value, Verdict.EXPAND.value)
_ORDER = (Kind.READY, Kind.SOAKED, Kind.APPROVED, Kind.OVERRIDDEN, Kind.REJECTED, Kind.DEPLOYED)


@dataclass(frozen=True)
class Said:
    """Something that was said of a release in an environment, and when. Nobody has judged here whether it is true."""

    kind: str
    at: str
    words: str = ""


@dataclass(frozen=True)
class Coming:
    """The migrations that a release would bring to an environment: how many, and the gravest verdict among them."""

    count: int
    verdict: str | None = None


@dataclass(frozen=True)
class Cell:
    """What became of a release in an environment.

    ``state`` is ``serves``, ``served`` (until another took its place), ``sent back``, ``failed``,
    ``refused``, ``cancelled``, ``never``, or ``unknown`` where the host was not heard yet.
    ``deployment`` is the attempt that it is told of. ``said`` is None where the archive was not
    read yet, ``coming`` where the release would bring nothing, or that cannot be told.
    """

    environment: str
    state: str
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    why: str = ""
    deployment: str = ""
    said: tuple[Said, ...] | None = None
    coming: Coming | None = None


@dataclass(frozen=True)
class Row:
    """A release, as its manifest and the repository here know it, with a cell for each environment."""

    tag: str
    release: str
    commit: str
    subject: str | None
    author: str | None
    created_at: datetime | None
    created_by: str
    ci_run: str | None
    dirty: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """A page of releases, the newest first.

    ``pending`` are releases that were not read yet. ``problem`` is why the registry did not
    answer the last time; what is shown is then from ``read_at``. ``unreadable`` says of tags
    why they are no releases.
    """

    environments: tuple[str, ...]
    rows: tuple[Row, ...]
    page: int
    pages: int
    total: int
    pending: int
    read_at: datetime | None
    problem: dict[str, Any] | None
    unreadable: dict[str, str]


def matrix(
    sights: Sequence[Sight],
    holding: Holding,
    promote_from: Mapping[str, str | None],
    subjects: Mapping[str, str],
    page: int,
) -> Matrix:
    """Return a page of the matrix."""
    shown = releases_of(holding, page)
    told = tell_all(sights, promote_from)
    return Matrix(
        environments=tuple(sight.environment for sight in sights),
        rows=tuple(row(named, sights, told, holding, subjects) for named in shown),
        page=page,
        pages=max(1, -(-len(holding.releases) // PAGE_SIZE)),
        total=len(holding.releases),
        pending=holding.pending,
        read_at=holding.read_at,
        problem=holding.error.as_json() if holding.error else None,
        unreadable={str(tag): f"{error.what} {error.why}".strip() for tag, error in holding.unreadable.items()},
    )


def releases_of(holding: Holding, page: int) -> tuple[NamedRelease, ...]:
    """Return the releases of a page, which begin with 1."""
    return holding.releases[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]


def row(
    named: NamedRelease,
    sights: Iterable[Sight],
    told: Mapping[str, Mapping[str, Sequence[Event]]],
    holding: Holding,
    subjects: Mapping[str, str],
) -> Row:
    """Return a release's row; ``told`` are the events by environment and tag, the newest first."""
    release = named.release
    return Row(
        tag=release.tag,
        release=named.name,
        commit=release.commit,
        subject=subjects.get(release.commit),
        author=release.author,
        created_at=read_time(release.created_at),
        created_by=release.created_by,
        ci_run=release.ci_run,
        dirty=release.dirty,
        cells=tuple(
            cell(sight, named, told.get(sight.environment, {}).get(release.tag, ()), holding) for sight in sights
        ),
    )


def tell_all(
    sights: Iterable[Sight], promote_from: Mapping[str, str | None]
) -> dict[str, dict[str, tuple[Event, ...]]]:
    """Return what happened, by environment and tag, the newest first."""
    attempts: list[Attempt] = []
    for sight in sights:
        attempts += read_attempts(sight.environment, sight.entries)
    found: dict[str, dict[str, tuple[Event, ...]]] = {}
    for event in tell(attempts, promote_from):
        tags = found.setdefault(event.attempt.environment, {})
        tags[event.attempt.tag] = (*tags.get(event.attempt.tag, ()), event)
    return found


def cell(sight: Sight, named: NamedRelease, events: Sequence[Event], holding: Holding) -> Cell:
    """Say what became of a release in an environment, from ``events`` about it there, the newest first."""
    said = holding.said.get(named.name)
    there = said_in(sight.environment, said) if said is not None else None
    serving = serving_in(sight)
    coming = _coming(named, holding.find(serving.get("tag"))) if serving.get("release") != named.name else None
    state, event = _state(sight, named, events)
    if state == "serves":
        since = read_time(str(serving.get("since") or "")) or (event.attempt.ended_at if event else None)
        by, deployment = str(serving.get("by") or ""), str(serving.get("deployment") or "")
        return Cell(sight.environment, state, since, by=by, deployment=deployment, said=there)
    if event is None:
        return Cell(sight.environment, state, said=there, coming=coming)
    one = event.attempt
    return Cell(
        environment=sight.environment,
        state=state,
        since=one.ended_at,
        until=event.until,
        by=one.by,
        why=one.error,
        deployment=one.deployment,
        said=there,
        coming=coming,
    )


def serving_in(sight: Sight) -> Mapping[str, Any]:
    """Return what a host said of the release that serves; empty when nothing does, or it said nothing yet."""
    found = (sight.status or {}).get("serving")
    return found if isinstance(found, dict) else {}


def _state(sight: Sight, named: NamedRelease, events: Sequence[Event]) -> tuple[str, Event | None]:
    served = next((event for event in events if event.attempt.succeeded and (event.until or event.serves)), None)
    if serving_in(sight).get("tag") == named.release.tag:
        # Other bytes under the same tag are not this release.
        return ("serves" if serving_in(sight).get("release") in (None, named.name) else "unknown"), served
    if served is not None:
        return "served", served
    if events:
        return _fate(events[0].attempt), events[0]
    return ("unknown" if sight.status is None else "never"), None


def _fate(one: Attempt) -> str:
    if one.outcome is not Outcome.FAILED:
        return "served" if one.succeeded else one.outcome.value
    if one.refused:
        return "refused"
    return "sent back" if one.sent_back else "failed"


def _coming(named: NamedRelease, before: NamedRelease | None) -> Coming | None:
    """Return what a release would bring in the place of an older one; a newer one's migrations are there already."""
    if before is None or named.release.created_at < before.release.created_at or not named.release.migrations.kind:
        return None
    return coming(compare_shipped(before.release, named.release))


def coming(judged: Sequence[Judged]) -> Coming:
    """Count migrations, and name the gravest verdict; one that was edited afterwards is graver than any."""
    if any(one.edited for one in judged):
        return Coming(len(judged), "edited")
    verdicts = {one.verdict for one in judged}
    return Coming(len(judged), next((verdict for verdict in _GRAVEST if verdict in verdicts), None))


def said_in(environment: str, said: Iterable[ArchivedStatement]) -> tuple[Said, ...]:
    """Return the last of each kind of statement that was made in, or about, an environment."""
    last: dict[Kind, Statement] = {}
    for one in said:
        statement = one.statement
        if statement.environment != environment:
            continue
        known = last.get(statement.kind)
        if known is None or _rank(statement) >= _rank(known):
            last[statement.kind] = statement
    return tuple(Said(kind.value, last[kind].at, _words(last[kind])) for kind in _ORDER if kind in last)


def _rank(statement: Statement) -> tuple[int, str]:
    return statement.soaked_s or 0, statement.at


def _words(statement: Statement) -> str:
    if statement.soaked_s is not None:
        return f"{statement.soaked_s} s"
    if statement.expires is not None:
        return f"until {statement.expires[:16].replace('T', ' ')}"
    return statement.reason or ""
