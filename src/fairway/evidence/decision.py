"""What a person decides about a release, as the statement that is signed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest
from fairway.engine.contract.statement import Kind, Statement, parse_statement
from fairway.engine.contract.trust import Role

#: What a reason says at its end when nobody was asked on a terminal.
UNASKED = "(given with --yes, without being asked)"
_SPAN = re.compile(r"([1-9][0-9]{0,5})\s*(min|m|h|d)")
_UNITS = {"min": timedelta(minutes=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
#: The longest that anything is allowed for.
LONGEST = timedelta(days=30)
_MOST_CHARACTERS = 400


@dataclass(frozen=True)
class Subject:
    """What is decided about: a release, where it may or may not go, and when that is said."""

    named: NamedRelease
    environment: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def statement(self, kind: Kind, **says: object) -> Statement:
        """Return a statement about it. Raises ``Invalid`` when a host could not read it."""
        release = self.named.release
        made = Statement(
            kind=kind,
            release=self.named.name,
            tag=release.tag,
            project=release.project,
            environment=self.environment,
            at=_written(self.now),
            **says,  # type: ignore[arg-type]
        )
        return parse_statement(made.to_bytes())


@dataclass(frozen=True)
class Allowance:
    """What is to be allowed, and for how long: to replace what serves, or to pass a frozen window."""

    kind: Kind
    lasts: timedelta
    reason: str | None

    @property
    def question(self) -> str:
        """What is asked before it is signed."""
        return "Sign that you approve" if self.kind is Kind.APPROVED else "Sign that the freeze does not hold for"

    def unasked(self) -> Allowance:
        """Return it as one that no person confirmed on a terminal: the reason says so."""
        return replace(self, reason=f"{self.reason} {UNASKED}" if self.reason else UNASKED)

    def statement(self, subject: Subject, replaces: Digest | None) -> Statement:
        """Return what is signed; ``replaces`` is what serves there now."""
        expires = _written(subject.now + self.lasts)
        more = {"replaces": replaces} if self.kind is Kind.APPROVED else {}
        return subject.statement(self.kind, expires=expires, reason=self.reason, **more)


def allowance(*, lasts: timedelta, reason: str | None, override_freeze: bool) -> Allowance:
    """Check what is to be allowed. Raises ``Invalid`` for a reason that is none, or is missing."""
    if override_freeze and reason is None:
        raise Invalid("to override a freeze needs a reason", hint='--reason "what cannot wait"')
    line = reason_line(reason) if reason is not None else None
    return Allowance(Kind.OVERRIDDEN if override_freeze else Kind.APPROVED, lasts, line)


def rejection(subject: Subject, *, reason: str) -> Statement:
    """Say that the release should not go there. It is shown; nothing is decided on it."""
    return subject.statement(Kind.REJECTED, reason=reason_line(reason))


def role_for(kind: Kind) -> Role:
    """Return the role in which a person says this."""
    return Role.ADMIN if kind is Kind.OVERRIDDEN else Role.REVIEWER


def reason_line(text: str) -> str:
    """Check a reason: one line, and short enough to be shown everywhere. Raises ``Invalid``."""
    line = text.strip()
    if not line or len(line) > _MOST_CHARACTERS or not line.isprintable():
        raise Invalid(
            f"the reason must be one line of at most {_MOST_CHARACTERS} characters",
            hint='for example --reason "tax season"',
        )
    return line


def parse_span(text: str) -> timedelta:
    """Return how long something lasts, written like ``90min``, ``24h`` or ``7d``.

    >>> parse_span("24h")
    datetime.timedelta(days=1)
    """
    match = _SPAN.fullmatch(text.strip())
    span = int(match[1]) * _UNITS[match[2]] if match else timedelta(0)
    if not timedelta(0) < span <= LONGEST:
        raise Invalid(f"not a time span: {text[:40]!r}", why="like 90min, 24h or 7d, at most 30d")
    return span


def _written(moment: datetime) -> str:
    """Return a time as statements carry it: UTC, to the millisecond."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
