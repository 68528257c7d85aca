"""A command that was begun from the dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairway.dashboard.starting import Run


@dataclass(frozen=True)
class RunView:
    """A command; ``deployment`` is what the host has taken on for it, empty as long as it has not.

    ``exit_code`` is None while it runs, ``error`` why it did not do what was asked for.
    """

    environment: str
    action: str
    tag: str
    command: str
    started_at: datetime
    deployment: str
    said: tuple[str, ...]
    exit_code: int | None
    error: dict[str, Any] | None


def run_view(run: Run) -> RunView:
    """Return a command as programs are told of it."""
    return RunView(
        environment=run.environment,
        action=run.action,
        tag=run.tag,
        command=run.command,
        started_at=run.started_at,
        deployment=run.deployment,
        said=run.said,
        exit_code=run.answer.code if run.answer else None,
        error=run.error.as_json() if run.error else None,
    )
