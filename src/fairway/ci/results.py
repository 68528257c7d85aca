"""What became of each stage, and of all of them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairway.ci.junit import Tests
from fairway.ci.stages import Stage


class State(enum.Enum):
    """What became of a stage. One whose turn never came is skipped."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class StageResult:
    """What became of one stage.

    ``reason`` says in a line why it has not passed, ``notes`` what else is to be known. ``tail`` is the end
    of its log, without what colours a terminal.
    """

    stage: Stage
    state: State
    reason: str = ""
    seconds: float = 0.0
    exit_code: int | None = None
    log: Path | None = None
    tail: tuple[str, ...] = ()
    tests: Tests | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    def as_json(self) -> dict[str, Any]:
        """Return it as part of the document that ``--json`` prints."""
        return {
            "stage": self.name,
            "state": self.state.value,
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "exit_code": self.exit_code,
            "log": str(self.log) if self.log else None,
            "tests": self.tests.as_json() if self.tests else None,
            "notes": list(self.notes),
        }


def outcome(results: Sequence[StageResult], *, interrupted: bool) -> State:
    """Say what became of all: cancelled when somebody asked for that, failed when a stage has."""
    if interrupted:
        return State.CANCELLED
    return State.FAILED if any(result.state is State.FAILED for result in results) else State.PASSED
