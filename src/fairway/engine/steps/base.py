"""What a step is."""

from __future__ import annotations

import abc
import enum
from dataclasses import dataclass

from fairway.engine.deployment import Deployment


class Direction(enum.Enum):
    """Which way a deployment goes when its engine was lost in a step."""

    #: Nothing a visitor can see has happened: take back what was done.
    UNDO = "undo"
    #: The edge is asked: it is undone unless new requests go to the new slot.
    ASK_EDGE = "ask the edge"
    #: New requests go to the new release: go on from here.
    FINISH = "finish"


@dataclass(frozen=True)
class Recovery:
    """What a restart finds when the engine was lost in a step, and what it does about it.

    The runner takes ``direction``; the words are the table in ``docs/explanation/recovery.md``
    and what the operator is told.
    """

    direction: Direction
    finds: str
    does: str


class Step(abc.ABC):
    """One step of a deployment: what it would do, does, how it is undone, and what a restart finds."""

    name: str
    recovery: Recovery
    #: It serves for good: a failure here is told, not undone, and it can no longer be cancelled.
    finishes: bool = False
    #: It writes down what serves: a deployment that could not is not over, whoever comes next does it.
    records: bool = False

    @property
    def serves(self) -> bool:
        """Say whether the new release has the traffic while this step runs."""
        return self.recovery.direction is Direction.FINISH

    def needed(self, deployment: Deployment) -> bool:
        """Say whether this deployment has the step at all."""
        return True

    @abc.abstractmethod
    def plan(self, deployment: Deployment) -> str:
        """Say what ``run`` would change, without changing anything."""

    @abc.abstractmethod
    def run(self, deployment: Deployment) -> str:
        """Do the work, so that doing it twice is doing it once; return a line about it."""

    def undo(self, deployment: Deployment) -> str | None:
        """Take the work back; return a line about it, or None when there is nothing to take back."""
        return None
