"""One cell of the matrix: a deployment, a fault in one of its steps, and what must hold afterwards."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fairway.engine.steps.base import Step
from fairway.engine.steps.canary import Canary
from fairway.engine.steps.rehearse import Rehearse
from fairway.engine.steps.switch import Switch
from testbed.load import Load, Report
from testbed.process import TestbedError
from testbed.waiting import wait_for
from tests.faults.faults import Fault, Moment
from tests.faults.rig import Rig

_COMMAND_S = 150.0
_ANSWERS_AGAIN_S = 60.0
# In a canary of a half, so many answers of one release alone are one in five hundred.
_ASKED = 10
_CONNECTIONS, _RATE_PER_S = 8, 40.0


class NotReached(Exception):
    """The deployment never came to the step: this release has no need of it."""


@dataclass(frozen=True)
class Cell:
    """A fault in a moment of a step."""

    step: Step
    moment: Moment
    fault: Fault

    @property
    def name(self) -> str:
        return f"{self.fault.name}-{self.moment.name.lower()}-{self.step.name}".replace(" ", "_").replace("'", "")

    @property
    def is_worst(self) -> bool:
        """Say whether this is where the fault hurts most."""
        kind, moment = self.fault.worst
        return isinstance(self.step, kind) and self.moment is moment


@dataclass
class Outcome:
    """What came of a cell."""

    served: str = ""
    ending: str = ""
    failed: int = 0
    total: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class _Strike:
    """When the fault struck and was mended, on the load generator's clock, and whether there was anything to hit."""

    struck_s: float = 0.0
    mended_s: float = 0.0
    hit: bool = False


def play(rig: Rig, cell: Cell) -> Outcome:
    """Deploy with the fault, let it settle, deploy again; return what was seen and every promise that was broken.

    Raises ``NotReached`` when this deployment has no such step.
    """
    outcome = Outcome()
    old = rig.prepare(rehearses=isinstance(cell.step, Rehearse))
    new = rig.releases.other(old)
    known = rig.known
    with Load(rig.work.url(rig.name, "/api/health"), connections=_CONNECTIONS, rate_per_s=_RATE_PER_S) as load:
        said, strike = _disturb(rig, cell, new, load, outcome)
        _settle(rig, outcome)
    served = _served(rig, cell, outcome)
    outcome.served = {old: "old", new: "new"}.get(served, served)
    outcome.failed, outcome.total = load.report.failed, load.report.total
    outcome.problems += _dropped(load.report, cell.fault, strike, new)
    outcome.problems += _after_the_fault(rig, outcome.served)
    if "Traceback" in said:
        outcome.problems.append(f"the command showed a traceback: {said[-1500:]}")

    target = rig.releases.other(served) if served in rig.releases.tags else new
    notice, changed = _deploy_again(rig, target, outcome)
    lasted = outcome.served
    if not changed:
        # A host that nobody has recovered served the new release, which this command then undid: to its own target.
        lasted, target = "old", rig.releases.other(target)
        _deploy_again(rig, target, outcome)
    outcome.problems += _after_the_next(rig, target)
    try:
        entries = [entry for entry in rig.history() if entry["deployment"] not in known]
    except TestbedError as error:
        outcome.problems.append(f"the ledger does not hold together: {error}")
        return outcome
    outcome.ending = _ending(entries, notice, strike)
    outcome.problems += _recorded(entries, target, lasted)
    return outcome


# -- the fault


def _disturb(rig: Rig, cell: Cell, new: str, load: Load, outcome: Outcome) -> tuple[str, _Strike]:
    """Deploy, strike, mend; return what the command said, and when it was struck."""
    fault, strike = cell.fault, _Strike()
    with rig.watcher(cell.step.name, cell.moment.value, *fault.action(rig)) as watcher:
        lines = _lines(watcher)
        if next(lines, "") != "watching":
            raise TestbedError("the watcher does not run")
        client = rig.start_deploy(new)
        said: list[str] = []
        listener = threading.Thread(target=lambda: said.append(client.communicate()[0]), daemon=True)
        listener.start()
        word = next(lines, "gone")
        strike.struck_s = strike.mended_s = load.now_s()
        if word == "missed":
            listener.join(_COMMAND_S)
            raise NotReached(f"{cell.step.name} is not a part of this deployment")
        if fault.here is not None:
            fault.here(rig)
        strike.hit = fault.here is not None or next(lines, "gone") == "hit"
        if fault.mend is not None:
            listener.join(_COMMAND_S if fault.mend_after_s is None else fault.mend_after_s)
            fault.mend(rig)
            strike.mended_s = load.now_s()
        listener.join(_COMMAND_S)
        if listener.is_alive():
            outcome.problems.append(f"the command did not end within {_COMMAND_S:g} s")
            client.kill()
            listener.join()
    return "".join(said), strike


def _lines(watcher: subprocess.Popen[str]) -> Iterator[str]:
    assert watcher.stdout is not None
    return (line.strip() for line in watcher.stdout)


def _settle(rig: Rig, outcome: Outcome) -> None:
    """Wait until no engine is at work and a visitor is answered."""
    try:
        rig.wait_settled()
    except TestbedError as error:
        outcome.problems.append(f"a lock stays behind: {error}")
    with suppress(TestbedError):
        wait_for("an answer", lambda: rig.serving() in rig.releases.tags, timeout_s=_ANSWERS_AGAIN_S)


# -- what must hold


def _served(rig: Rig, cell: Cell, outcome: Outcome) -> str:
    """Return the one release that visitors get; where a canary was lost, which both serve, the recorded one."""
    answers = {rig.serving() for _ in range(_ASKED)}
    if len(answers) == 1:
        return answers.pop()
    if not isinstance(cell.step, (Canary, Switch)):
        outcome.problems.append(f"visitors get several releases: {', '.join(sorted(answers))}")
    return str(rig.status()["serving"]["tag"])


def _dropped(report: Report, fault: Fault, strike: _Strike, new: str) -> list[str]:
    served = new in report.releases
    wrong = [
        (at_s, why)
        for at_s, why in report.failures
        if not fault.permitted.allows(at_s, struck_s=strike.struck_s, mended_s=strike.mended_s, new_served=served)
    ]
    if not wrong:
        return []
    shown = ", ".join(f"{at_s - strike.struck_s:+.2f} s: {why}" for at_s, why in wrong[:4])
    return [f"{len(wrong)} of {report.total} requests failed that may not, relative to the strike at {shown}"]


def _after_the_fault(rig: Rig, served: str) -> list[str]:
    """Check what must hold before anybody does anything."""
    problems = []
    if served not in ("old", "new"):
        problems.append(f"neither the old nor the new release serves: {served}")
    if served == "new" and not rig.is_applied():
        problems.append(f"the new release serves, and its migration is {rig.applied()}")
    if served == "old" and not (rig.is_applied() or rig.is_untouched()):
        problems.append(f"the migration is neither applied once nor untouched: {rig.applied()}")
    return problems


def _deploy_again(rig: Rig, target: str, outcome: Outcome) -> tuple[str, bool]:
    """Run the next ordinary command, with nobody noticing; return what it said, and whether it had anything to do."""
    with Load(rig.work.url(rig.name, "/api/health"), connections=_CONNECTIONS, rate_per_s=_RATE_PER_S) as load:
        done = rig.deploy(target)
    if done.returncode != 0:
        outcome.problems.append(f"the next deployment ended with {done.returncode}: {done.stderr[-1500:]}")
    if load.report.failed:
        outcome.problems.append(f"the next deployment dropped requests: {dict(load.report.reasons)}")
    return done.stderr, "is already what serves" not in done.stdout


def _ending(entries: Sequence[dict[str, Any]], notice: str, strike: _Strike) -> str:
    if not strike.hit:
        return "nothing to hit"
    ended = "finished" if entries and entries[0]["outcome"] == "succeeded" else "undone"
    by_next = "the interrupted" in notice or "had ended" in notice
    return f"{ended} by the next command" if by_next else ended


def _after_the_next(rig: Rig, target: str) -> list[str]:
    """Check what must hold once the next command has been run."""
    problems = []
    if (served := rig.serving()) != target:
        problems.append(f"after the next deployment of {target[:11]} this serves: {served}")
    found = rig.status()
    if found.get("drift") != []:
        problems.append(f"drift: {found.get('drift', found)}")
    if found.get("deploying"):
        problems.append("the lock is held though the command has ended")
    if not rig.is_applied():
        problems.append(f"the migration was not applied exactly once: {rig.applied()}")
    if sessions := rig.migrator_sessions():
        problems.append(f"{sessions} database sessions of a migrator are open")
    return problems + _left_behind(rig, target)


def _recorded(entries: Sequence[dict[str, Any]], target: str, served: str) -> list[str]:
    """Check that both attempts are on record, the first as what served after it."""
    told = [entry["outcome"] == "succeeded" for entry in entries]
    if told == [served == "new", True] and entries[-1]["tag"] == target:
        return []
    shown = [(e["deployment"], e["tag"][:11], e["outcome"]) for e in entries]
    return [f"the ledger tells {shown}, though the {served} release served after the first"]


def _left_behind(rig: Rig, target: str) -> list[str]:
    found = rig.containers()
    slots = {rig.container("app-blue"), rig.container("app-green")}
    kept = slots | {rig.container(part) for part in ("edge", "postgres-1", "redis-1", "worker-1")}
    problems = [f"a container is left behind: {name}" for name in sorted(set(found) - kept)]
    problems += [f"of a rehearsal is left behind: {what}" for what in rig.rehearsed()]
    if (moved := found.get(rig.container("worker-1"))) != target:
        problems.append(f"the worker runs {moved}, not {target}")
    return problems
