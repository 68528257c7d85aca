"""One stage from its services to its reports; its output goes to its log as it comes."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from time import monotonic
from typing import TextIO

from fairway.ci import junit, services
from fairway.ci.results import StageResult, State
from fairway.ci.stages import Stage
from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.process import child_environment
from fairway.process_group import Ended, How, Stop, supervise

_TAIL_LINES = 60
_TAIL_WIDTH = 400
# Colours, cursor movements, titles: what a terminal obeys and a page or a table must not.
_CONTROL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


@dataclass(frozen=True)
class Setting:
    """What the stages of one run share.

    ``given`` are variables that every stage and its services get besides this process's own.
    """

    root: Path
    logs: Path
    compose: Path | None
    project: str
    environ: Mapping[str, str]
    given: Mapping[str, str] = field(default_factory=dict)
    run_id: str = field(default_factory=lambda: secrets.token_hex(3))

    @property
    def beginning(self) -> str:
        """How the names of the stages' Compose projects begin."""
        return f"{self.project[:24]}-ci-"


class Log:
    """A stage's log: kept as it is, its end remembered without control characters."""

    def __init__(self, file: TextIO, show: Callable[[str], None]) -> None:
        self._file = file
        self._show = show
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def __call__(self, line: str) -> None:
        """Write one line."""
        if not self._file.closed:  # what has left the stage's session may still speak
            self._file.write(f"{line}\n")
        plain = printable(line)
        self.tail.append(plain[:_TAIL_WIDTH])
        self._show(plain)


def printable(line: str) -> str:
    """Return a line without what a terminal would obey."""
    return _CONTROL.sub("", line)


def base_environment(environ: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return what every stage gets: this environment without the pipeline's secrets, and ``given``.

    A stage that says ``fairway`` means this one, also where that is not on PATH.
    """
    found = {**child_environment(environ), **given}
    path = found.get("PATH", os.defpath)
    if shutil.which("fairway", path=path) is None:
        beside = (Path(program).absolute().parent for program in (sys.argv[0], sys.executable))
        found["PATH"] = os.pathsep.join([path, *(str(one) for one in beside if (one / "fairway").is_file())][:2])
    return found


def stage_environment(stage: Stage, base: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """Return a stage's environment: ``base``, where its services are, and its own ``env``.

    ``${NAME}`` in a value of ``env`` is one of those, or a variable of ``here``, this process's environment:
    so a stage gets a secret that stages do not get by themselves. Raises ``Invalid`` for one that is not set.
    """
    known = {**here, **base}
    found = dict(base)
    for name, value in stage.env.items():
        try:
            found[name] = Template(value).substitute(known)
        except KeyError as error:
            raise Invalid(
                f"{stage.name}: env.{name} names {error.args[0]}, which is not set",
                hint="services that publish a port give CI_<SERVICE>_HOST and CI_<SERVICE>_PORT",
            ) from None
    return found


def execute(stage: Stage, setting: Setting, show: Callable[[str], None], stop: Stop) -> StageResult:
    """Run a stage to its end, whatever that is; ``show`` gets each line of its output, from whichever thread."""
    begun = monotonic()
    path = setting.logs / f"{stage.name}.log"
    directory = setting.root / stage.dir
    before = junit.stamps(directory, stage.junit)
    ended: Ended | None = None
    problem = ""
    with path.open("w", encoding="utf-8", buffering=1) as file:
        log = Log(file, show)
        try:
            with _services(stage, setting, log, stop) as base:
                environment = stage_environment(stage, base, setting.environ)
                ended = supervise(stage.argv, log, env=environment, cwd=directory, timeout_s=stage.timeout_s, stop=stop)
        except services.Stopped:
            ended = Ended(How.STOPPED, -signal.SIGTERM)
        except FairwayError as error:
            problem = error.what
            for line in str(error).splitlines():
                log(f"fairway: {line}")
    state, reason = _verdict(stage, ended, problem)
    ran = ended is not None and ended.how is not How.STOPPED
    tests = junit.read(setting.root, directory, stage.junit, before) if stage.junit and ran else None
    return StageResult(
        stage,
        state,
        reason,
        seconds=monotonic() - begun,
        exit_code=ended.returncode if ended is not None and ended.how is How.EXITED else None,
        log=path,
        tail=tuple(log.tail),
        tests=tests,
        notes=_notes(tests, state),
    )


def _verdict(stage: Stage, ended: Ended | None, problem: str) -> tuple[State, str]:
    if problem or ended is None:
        return State.FAILED, problem
    if ended.how is How.STOPPED:
        return State.CANCELLED, "ended before it was done"
    if ended.how is How.TIMED_OUT:
        return State.FAILED, f"took longer than {stage.timeout_s:g} s"
    if ended.returncode < 0:
        return State.FAILED, f"ended by {_signal_name(-ended.returncode)}"
    return (State.FAILED, f"exit code {ended.returncode}") if ended.returncode else (State.PASSED, "")


def _notes(tests: junit.Tests | None, state: State) -> tuple[str, ...]:
    if tests is None:
        return ()
    contradicts = state is State.PASSED and tests.failures
    return (*tests.problems, *(["its reports name failures, and it ended with 0"] if contradicts else []))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def _services(stage: Stage, setting: Setting, log: Log, stop: Stop) -> Iterator[dict[str, str]]:
    """Yield the environment of the stage's program, its services running where it has some."""
    base = base_environment(setting.environ, setting.given)
    if not stage.services or setting.compose is None:
        yield base
        return
    with services.running(
        setting.compose,
        stage.services,
        project=f"{setting.beginning}{stage.name}-{setting.run_id}",
        environ=base,
        say=log,
        stop=stop,
        timeout_s=stage.timeout_s,
    ) as found:
        yield {**base, **found}
