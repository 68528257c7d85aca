"""What a run tells whoever watches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fairway.ci.results import StageResult
from fairway.ci.stages import Stage


class Reporter(Protocol):
    """Shows a run while it goes on. All of it is called from one thread."""

    def begin(self, stages: Sequence[Stage]) -> None:
        """The stages that were chosen, in their order."""

    def started(self, stage: Stage) -> None:
        """A stage has started."""

    def line(self, stage: Stage, text: str) -> None:
        """A running stage said something."""

    def ended(self, result: StageResult) -> None:
        """Something became of a stage."""

    def tick(self) -> None:
        """Some time has passed."""

    def notice(self, text: str) -> None:
        """Something is to be said of the run itself."""

    def end(self) -> None:
        """The run is over, however it went."""
