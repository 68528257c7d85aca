"""Which stage may start next, as a decision: nothing here runs anything."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter

from fairway.ci.results import StageResult, State
from fairway.ci.stages import Stage


class Schedule:
    """Hands out the stages whose needs have passed, and skips those whose needs have not.

    >>> schedule = Schedule([Stage("lint", "true"), Stage("unit", "true", needs=("lint",))])
    >>> [stage.name for stage in schedule.take(2)]
    ['lint']
    >>> schedule.record(StageResult(Stage("lint", "true"), State.FAILED))
    >>> schedule.take(2), [(one.name, one.reason) for one in schedule.results()[1:]]
    ([], [('unit', 'needs lint, which failed')])
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = {stage.name: stage for stage in stages}
        self._sorter = TopologicalSorter(
            # What is needed and was not chosen counts as done.
            {stage.name: [need for need in stage.needs if need in self._stages] for stage in stages}
        )
        self._sorter.prepare()
        self._waiting: list[str] = []
        self._running: set[str] = set()
        self._results: dict[str, StageResult] = {}

    @property
    def over(self) -> bool:
        """Whether something became of every stage."""
        return len(self._results) == len(self._stages)

    @property
    def running(self) -> int:
        """How many stages were handed out and have not ended."""
        return len(self._running)

    def take(self, at_once: int) -> list[Stage]:
        """Return the stages that start now, so that no more than ``at_once`` run; skip those that never will."""
        self._look()
        started: list[Stage] = []
        while self._waiting:
            stage = self._stages[self._waiting[0]]
            unmet = [one for need in stage.needs if (one := self._results.get(need)) and one.state is not State.PASSED]
            if unmet:
                self._waiting.pop(0)
                self.record(StageResult(stage, State.SKIPPED, _why(unmet[0])))
                self._look()
            elif self.running < at_once:
                self._waiting.pop(0)
                self._running.add(stage.name)
                started.append(stage)
            else:
                break
        return started

    def _look(self) -> None:
        self._waiting += [name for name in self._sorter.get_ready() if name not in self._results]

    def record(self, result: StageResult) -> None:
        """Take down what became of a stage."""
        self._running.discard(result.name)
        self._results[result.name] = result
        self._sorter.done(result.name)

    def skip_rest(self, reason: str) -> None:
        """Skip everything that has not started."""
        for name, stage in self._stages.items():
            if name not in self._results and name not in self._running:
                self._results[name] = StageResult(stage, State.SKIPPED, reason)
        self._waiting.clear()

    def results(self) -> list[StageResult]:
        """Return what became of the stages so far, in their order."""
        return [self._results[name] for name in self._stages if name in self._results]


def _why(need: StageResult) -> str:
    return f"needs {need.name}, which {'failed' if need.state is State.FAILED else f'was {need.state.value}'}"
