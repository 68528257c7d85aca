"""What a step is."""

from __future__ import annotations

import abc

from fairway.engine.deployment import Deployment


class Step(abc.ABC):
    """One step of a deployment: what it does, when it is needed, how it is undone."""

    name: str
    #: The new release serves while this step runs, so a restart that finds it so goes on from here.
    serves: bool = False
    #: It serves for good: a failure here is told, not undone.
    finishes: bool = False

    def needed(self, deployment: Deployment) -> bool:
        """Say whether this deployment has the step at all."""
        return True

    @abc.abstractmethod
    def run(self, deployment: Deployment) -> str:
        """Do the work, so that doing it twice is doing it once; return a line about it."""

    def undo(self, deployment: Deployment) -> str | None:
        """Take the work back; return a line about it, or None when there is nothing to take back."""
        return None
