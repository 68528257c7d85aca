"""What is told of a deployment, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Protocol

from fairway.engine.contract.errors import FairwayError, error_from_json
from fairway.engine.contract.protocol import Outcome


class Kind(Enum):
    """What a deployment is for. ``PROMOTE`` is a deployment to an environment that takes releases from another."""

    DEPLOY = "deploy"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    RESTART = "restart"
    RECONCILE = "reconcile"


@dataclass(frozen=True)
class Deployment:
    """A deployment that a host has accepted.

    ``id`` is the host's own for it, ``release`` the digest that is the release's name,
    ``url`` where visitors find the application, None where that is not known.
    ``begun_at`` is the host's time.
    """

    project: str
    environment: str
    kind: Kind
    id: str
    tag: str
    release: str
    by: str
    begun_at: datetime
    production: bool
    url: str | None = None

    @property
    def commit(self) -> str:
        """The commit the release was built from; of a tree that had changes, one that no repository has."""
        return self.tag.removeprefix("sha-")

    @property
    def words(self) -> str:
        """What it is, for people."""
        return f"{self.kind.value} {self.tag[:11]} on {self.environment}"


@dataclass(frozen=True)
class Ending:
    """How a deployment ended.

    ``UNKNOWN`` is one whose host was lost sight of: it goes on there. ``error`` says why it
    failed, or what went wrong with one that succeeded; the engine has taken the host's
    secrets out of it. ``entries`` are the lines of its journal that were heard, each with
    the host's time under ``at``.
    """

    outcome: Outcome
    ended_at: datetime
    seconds: float | None = None
    failed_in: str | None = None
    error: FairwayError | None = None
    entries: tuple[Mapping[str, Any], ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the release serves."""
        return self.outcome is Outcome.SUCCEEDED


class Announcer(Protocol):
    """Tells one service. Both are called in a thread of its own, in this order, each deployment once.

    An error is a ``FairwayError`` whose ``what`` (and ``why``) a person reads; it is shown
    without what is in ``secrets``. Each request is to have a limit of ``TIMEOUT_S``.
    What takes time to import is imported in here.
    """

    @property
    def name(self) -> str:
        """Who is told, as a person knows it: "GitHub"."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be seen, whatever a service answers: tokens."""

    def begun(self, deployment: Deployment) -> None:
        """Say that a host has begun a deployment."""

    def ended(self, deployment: Deployment, ending: Ending) -> None:
        """Say how it ended; called too when ``begun`` failed."""


#: How long one request to a service may take.
TIMEOUT_S = 5.0


def read_ending(result: Mapping[str, Any] | FairwayError, entries: tuple[Mapping[str, Any], ...]) -> Ending:
    """Return how a deployment ended by its journal's last line, or by what kept that from being heard."""
    if isinstance(result, FairwayError):
        return Ending(Outcome.UNKNOWN, datetime.now(UTC), error=result, entries=entries)
    error, seconds = result.get("error"), result.get("seconds")
    return Ending(
        outcome=Outcome(result.get("outcome", Outcome.UNKNOWN.value)),
        ended_at=read_time(result.get("at")) or datetime.now(UTC),
        seconds=float(seconds) if isinstance(seconds, (int, float)) else None,
        failed_in=str(result["failed_in"]) if result.get("failed_in") else None,
        error=error_from_json(error) if isinstance(error, dict) else None,
        entries=entries,
    )


def read_time(text: Any) -> datetime | None:
    """Read a time of a host's journal; None when it is not one."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
