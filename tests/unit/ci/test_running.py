"""Stages beside each other: who starts when, what is told, and how all of it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from threading import Barrier, Event

import pytest

from fairway.ci.results import StageResult, State, outcome
from fairway.ci.running import Interruption, run_stages
from fairway.ci.stages import Stage
from fairway.process_group import Stop

LINT, UNIT, BUILD = Stage("lint", "x"), Stage("unit", "x"), Stage("build", "x", needs=("lint",))


class Recorder:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, stages: Sequence[Stage]) -> None:
        self.told.append(f"begin {len(stages)}")

    def started(self, stage: Stage) -> None:
        self.told.append(f"start {stage.name}")

    def line(self, stage: Stage, text: str) -> None:
        self.told.append(f"{stage.name}: {text}")

    def ended(self, result: StageResult) -> None:
        self.told.append(f"{result.name} {result.state.value}")

    def tick(self) -> None:
        """Nothing to remember."""

    def notice(self, text: str) -> None:
        """Nothing to remember."""

    def end(self) -> None:
        self.told.append("end")


def run(
    stages: Sequence[Stage],
    execute: Callable[[Stage, Callable[[str], None], Stop], StageResult],
    *,
    jobs: int = 4,
    fail_fast: bool = False,
    interruption: Interruption | None = None,
) -> tuple[list[StageResult], list[str]]:
    recorder = Recorder()
    results = run_stages(
        stages,
        execute,
        recorder,
        jobs=jobs,
        fail_fast=fail_fast,
        interruption=interruption or Interruption(),
    )
    return results, recorder.told


def passes(stage: Stage, say: Callable[[str], None], stop: Stop) -> StageResult:
    say("hello")
    return StageResult(stage, State.PASSED)


def test_what_a_stage_says_comes_between_its_start_and_its_end() -> None:
    _, told = run([LINT, BUILD], passes)
    assert told == [
        *("begin 2", "start lint", "lint: hello", "lint passed"),
        *("start build", "build: hello", "build passed", "end"),
    ]


def test_stages_that_need_nothing_of_each_other_run_at_the_same_time() -> None:
    both = Barrier(2, timeout=20)

    def meets(stage: Stage, say: Callable[[str], None], stop: Stop) -> StageResult:
        both.wait()
        return StageResult(stage, State.PASSED)

    results, _ = run([LINT, UNIT], meets, jobs=2)
    assert [one.state for one in results] == [State.PASSED, State.PASSED]


def until_stopped(stage: Stage, stop: Stop) -> StageResult:
    pause = Event()
    for _ in range(2000):
        if stop.asked:
            return StageResult(stage, State.CANCELLED)
        pause.wait(0.01)
    raise AssertionError("nobody asked it to end")


def lint_fails(stage: Stage, say: Callable[[str], None], stop: Stop) -> StageResult:
    return StageResult(stage, State.FAILED) if stage is LINT else until_stopped(stage, stop)


def test_with_fail_fast_the_first_failure_ends_what_runs() -> None:
    results, _ = run([LINT, UNIT, BUILD], lint_fails, fail_fast=True)
    assert [one.state for one in results] == [State.FAILED, State.CANCELLED, State.SKIPPED]
    assert outcome(results, interrupted=False) is State.FAILED


def test_without_it_everything_that_can_run_does() -> None:
    def only_lint_fails(stage: Stage, say: Callable[[str], None], stop: Stop) -> StageResult:
        return StageResult(stage, State.FAILED if stage is LINT else State.PASSED)

    results, _ = run([LINT, UNIT, BUILD], only_lint_fails, jobs=1)
    assert [one.state for one in results] == [State.FAILED, State.PASSED, State.SKIPPED]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_runs_and_skips_the_rest(number: signal.Signals) -> None:
    interruption = Interruption()

    def interrupted(stage: Stage, say: Callable[[str], None], stop: Stop) -> StageResult:
        os.kill(os.getpid(), number)
        return until_stopped(stage, stop)

    before = signal.getsignal(number)
    with interruption.by_signals():
        results, _ = run([LINT, BUILD], interrupted, interruption=interruption)
    assert [one.state for one in results] == [State.CANCELLED, State.SKIPPED]
    assert outcome(results, interrupted=interruption.interrupted) is State.CANCELLED
    assert signal.getsignal(number) is before


def test_a_second_signal_is_for_haste_and_a_failure_before_the_first_is_not() -> None:
    interruption = Interruption()
    interruption.stop.asked = True  # by a stage that failed
    with interruption.by_signals():
        os.kill(os.getpid(), signal.SIGINT)
        assert (interruption.interrupted, interruption.stop.at_once) == (True, False)
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.stop.at_once


def test_a_fault_of_our_own_ends_what_runs_before_it_is_raised() -> None:
    ended: list[str] = []

    def faulty(stage: Stage, say: Callable[[str], None], stop: Stop) -> StageResult:
        if stage is LINT:
            raise ZeroDivisionError
        result = until_stopped(stage, stop)
        ended.append(stage.name)
        return result

    with pytest.raises(ZeroDivisionError):
        run([LINT, UNIT], faulty)
    assert ended == ["unit"]
