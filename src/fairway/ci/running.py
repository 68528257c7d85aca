"""Run the stages of a schedule, beside each other where it allows."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from fairway.ci.reporter import Reporter
from fairway.ci.results import StageResult, State
from fairway.ci.schedule import Schedule
from fairway.ci.stages import Stage
from fairway.process_group import Stop

_TICK_S = 0.1

#: Runs one stage to its end: given where its lines go and whether it is to end, it says what became of it.
Execute = Callable[[Stage, Callable[[str], None], Stop], StageResult]


@dataclass(frozen=True)
class _Said:
    stage: Stage
    text: str


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Interruption:
    """A Stop, and whether it was a person or the pipeline who asked for it."""

    def __init__(self) -> None:
        self.stop = Stop()
        self.interrupted = False

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """Take Ctrl-C and signals to end for a wish to end, and a second one for haste, while the block lasts.

        A signal that this process was started to ignore stays ignored.
        """
        numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if not self.interrupted:
            self.interrupted = True
            self.stop.asked = True  # a stage that failed may have asked before; this is no haste yet
        else:
            self.stop.at_once = True


def run_stages(
    stages: Sequence[Stage],
    execute: Execute,
    reporter: Reporter,
    *,
    jobs: int,
    fail_fast: bool,
    interruption: Interruption,
) -> list[StageResult]:
    """Run the stages, at most ``jobs`` at once, and return what became of each.

    With ``fail_fast`` the first failure ends what runs. Nothing that was started runs any more when this
    returns or raises.
    """
    schedule = Schedule(stages)
    events: queue.SimpleQueue[_Said | StageResult | BaseException] = queue.SimpleQueue()
    stop = interruption.stop
    told: set[str] = set()
    announced = False
    reporter.begin(stages)
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="stage") as pool:
        try:
            while not schedule.over:
                if interruption.interrupted and not announced:
                    announced = True
                    reporter.notice("cancelling: what runs is asked to end; once more ends it at once")
                if stop.asked:
                    schedule.skip_rest("the run was cancelled" if interruption.interrupted else "another stage failed")
                for stage in schedule.take(jobs):
                    reporter.started(stage)
                    say = partial(_say, events, stage)
                    pool.submit(execute, stage, say, stop).add_done_callback(partial(_pass_on, events))
                _drain(events, schedule, reporter)
                for result in schedule.results():
                    if result.name not in told:
                        told.add(result.name)
                        reporter.ended(result)
                    if fail_fast and result.state is State.FAILED:
                        stop.asked = True
        except BaseException:
            stop.asked = True
            raise
        finally:
            reporter.end()
    return schedule.results()


def _drain(
    events: queue.SimpleQueue[_Said | StageResult | BaseException], schedule: Schedule, reporter: Reporter
) -> None:
    """Wait a moment for something to happen, and pass on all that has. Nothing to wait for: do not wait."""
    wait_s = _TICK_S if schedule.running else 0.0
    while True:
        try:
            event = events.get(timeout=wait_s) if wait_s else events.get_nowait()
        except queue.Empty:
            reporter.tick()
            return
        wait_s = 0.0
        if isinstance(event, _Said):
            reporter.line(event.stage, event.text)
        elif isinstance(event, StageResult):
            schedule.record(event)
            return
        else:
            raise event


def _say(events: queue.SimpleQueue[_Said | StageResult | BaseException], stage: Stage, text: str) -> None:
    events.put(_Said(stage, text))


def _pass_on(events: queue.SimpleQueue[_Said | StageResult | BaseException], future: Future[StageResult]) -> None:
    error = future.exception()
    events.put(error if error is not None else future.result())
