"""One release: what it would change, what was said of it, how it stands before the gates, where it has been."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairway.dashboard.gates import Asked
from fairway.dashboard.views.matrix import Coming, Row, coming
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import PinnedImage
from fairway.engine.contract.statement import Signed
from fairway.evidence.review import Change, Commits, FileChange, Judged, Review
from fairway.evidence.telling import tell
from fairway.observe.timeline import Event

_CLASSES = {"+": "added", "-": "removed", "@": "place", "\\": "quiet"}


@dataclass(frozen=True)
class Image:
    """An image of a release; ``platforms`` are the digests of each platform's, empty for an image of one."""

    name: str
    reference: str
    digest: str
    size_bytes: int
    platforms: dict[str, str]


@dataclass(frozen=True)
class Difference:
    """What a release changes where ``before`` serves; None when nothing does, or when it cannot be read (``unknown``).

    ``replaced`` says that the release serves there already: ``before`` is what it took the place of.
    """

    environment: str
    before: str | None
    replaced: bool
    unknown: str
    commits: Commits
    files: tuple[FileChange, ...]
    migrations: tuple[Change, ...]
    judged: tuple[Judged, ...]
    images: tuple[Change, ...]
    settings: tuple[Change, ...]
    names_migrations: bool

    @property
    def coming(self) -> Coming:
        """Count the migrations."""
        return coming(self.judged)


@dataclass(frozen=True)
class CheckLine:
    """A line of a gate's checklist."""

    name: str
    met: bool
    found: str
    hint: str


@dataclass(frozen=True)
class Gate:
    """What an environment's host says of a release; ``problem`` is why it says nothing.

    ``serves`` says that the release is what runs there. ``approvals`` is how many reviewers its policy asks for.
    """

    environment: str
    met: bool = False
    serves: bool = False
    approvals: int = 0
    replaces: str | None = None
    replaces_tag: str | None = None
    checks: tuple[CheckLine, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    problem: dict[str, Any] | None = None

    @property
    def missing(self) -> tuple[CheckLine, ...]:
        """What is not met."""
        return tuple(check for check in self.checks if not check.met)


@dataclass(frozen=True)
class EvidenceLine:
    """A statement about a release. ``valid`` is a host's judgement, None where it was not asked."""

    kind: str
    environment: str
    at: str
    says: str
    who: str | None
    valid: bool | None
    why: str
    digest: str


@dataclass(frozen=True)
class Passage:
    """An attempt to bring the release somewhere."""

    environment: str
    deployment: str
    at: datetime
    by: str
    succeeded: bool
    words: str


@dataclass(frozen=True)
class ReleasePage:
    """Everything about a release."""

    row: Row
    source: str | None
    fairway: str
    images: tuple[Image, ...]
    bundle: str
    difference: Difference | None
    gates: tuple[Gate, ...]
    judged_by: str
    evidence: tuple[EvidenceLine, ...]
    passages: tuple[Passage, ...]
    problems: tuple[str, ...]


def images_of(named: NamedRelease) -> tuple[Image, ...]:
    """Return a release's images."""

    def image(name: str, pinned: PinnedImage) -> Image:
        platforms = {platform: str(digest) for platform, digest in pinned.platforms.items()}
        return Image(name, pinned.reference, pinned.digest, pinned.size_bytes, platforms)

    return (image("application", named.release.app), image("migrator", named.release.migrator))


def difference(review: Review, environment: str, *, replaced: bool) -> Difference:
    """Return a review as it is shown and told."""
    return Difference(
        environment=environment,
        before=review.before.release.tag if review.before is not None else None,
        replaced=replaced,
        unknown=review.unknown,
        commits=review.commits,
        files=review.files,
        migrations=review.migrations,
        judged=review.judged,
        images=review.images,
        settings=review.settings,
        names_migrations=bool(review.release.release.migrations.files),
    )


def gate(asked: Asked) -> Gate:
    """Return a host's answer as it is shown and told; nothing of it is taken for what it should be."""
    if asked.standing is None:
        return Gate(asked.environment, problem=asked.error.as_json() if asked.error else None)
    standing, answer = asked.standing, asked.standing.answer
    checks = answer.get("checks")
    approvals = answer.get("approvals")
    return Gate(
        environment=asked.environment,
        met=standing.met,
        serves=standing.serves,
        approvals=approvals if isinstance(approvals, int) else 0,
        replaces=standing.replaces,
        replaces_tag=str(answer["replaces_tag"]) if answer.get("replaces_tag") else None,
        checks=tuple(_check(one) for one in checks if isinstance(one, dict)) if isinstance(checks, list) else (),
        notes=tuple(standing.notes),
        problems=tuple(standing.collected.notices),
    )


def _check(one: Mapping[str, Any]) -> CheckLine:
    return CheckLine(
        str(one.get("name")), one.get("met") is True, str(one.get("found") or ""), str(one.get("hint") or "")
    )


def evidence(statements: Iterable[Signed], verdicts: Mapping[str, Mapping[str, Any]]) -> tuple[EvidenceLine, ...]:
    """Return statements in the order of their time, with a host's verdicts by the statements' names."""
    lines = []
    for signed in statements:
        try:
            told = tell(signed, dict(verdicts[signed.name]) if signed.name in verdicts else None)
        except FairwayError:
            continue  # what is none is told among the problems
        lines.append(
            EvidenceLine(
                kind=str(told["kind"]),
                environment=str(told["environment"]),
                at=str(told["at"]),
                says=str(told["says"]),
                who=str(told["who"]) if told["who"] else None,
                valid=told["valid"],
                why=str(told["why"] or ""),
                digest=str(told["digest"]),
            )
        )
    return tuple(sorted(lines, key=lambda line: line.at))


def passages(events: Iterable[Event], now: datetime) -> tuple[Passage, ...]:
    """Return the attempts to bring a release anywhere, the newest first."""
    found = [
        Passage(
            one.attempt.environment,
            one.attempt.deployment,
            one.attempt.ended_at,
            one.attempt.by,
            one.attempt.succeeded,
            one.words(now),
        )
        for one in events
    ]
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))


def diff_lines(diff: str) -> Sequence[tuple[str, str]]:
    """Return each line of a unified diff with the class it is shown in; the sign stays, colour alone says nothing."""
    return [(_class(line), line) for line in diff.split("\n")]


def _class(line: str) -> str:
    if line.startswith(("--- ", "+++ ")):
        return "quiet"
    return _CLASSES.get(line[:1], "")
