"""The runner: what is undone, what is finished, and what is written down, with steps that only take notes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fairway.engine import runner
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Digest, Slot, Tag
from fairway.engine.deployment import Action, Deployment, Request
from fairway.engine.hostconfig import HostConfig
from fairway.engine.journal import read_journal
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.state import State
from fairway.engine.steps import STEPS, Step

SECRET = "hunter2-hunter2"


class Noting(Step):
    """A step that writes down what it was asked to do."""

    def __init__(self, name: str, notes: list[str], *, serves: bool = False, finishes: bool = False) -> None:
        self.name = name
        self.serves = serves
        self.finishes = finishes
        self.fails: Exception | None = None
        self.undo_fails = False
        self._notes = notes

    def run(self, deployment: Deployment) -> str:
        self._notes.append(self.name)
        if self.fails:
            raise self.fails
        return "done"

    def undo(self, deployment: Deployment) -> str | None:
        self._notes.append(f"undo {self.name}")
        if self.undo_fails:
            raise OSError(28, "No space left on device", "/x")
        return "undone"


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def steps(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Noting]:
    made = [
        Noting("start", notes),
        Noting("switch", notes),
        Noting("workers", notes, serves=True),
        Noting("drain", notes, serves=True, finishes=True),
        Noting("record", notes, serves=True, finishes=True),
    ]
    monkeypatch.setattr(runner, "STEPS", tuple(made))
    return {step.name: step for step in made}


@pytest.fixture
def deployment(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    host = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False)
    request = Request(
        "20260131-120000-000000",
        Action.DEPLOY,
        Tag("sha-4f4f4f4"),
        Digest.of(b""),
        Slot.GREEN,
        "ada@laptop",
        State(None, None),
    )
    request.write(layout)
    made = Deployment(layout, host, request)
    made.__dict__["redact"] = lambda text: text.replace(SECRET, "[redacted]")
    return made


def _end(deployment: Deployment) -> dict[str, Any]:
    last = read_journal(deployment.journal.path)[-1]
    assert last["kind"] == "ended"
    (entry,) = Ledger(deployment.layout.ledger).entries()
    assert entry["outcome"] == last["outcome"]
    return last


def test_every_step_runs_once_in_order(deployment: Deployment, steps: dict[str, Noting], notes: list[str]) -> None:
    runner.carry_out(deployment)
    assert notes == list(steps)
    end = _end(deployment)
    assert (end["outcome"], list(end["steps"])) == ("succeeded", list(steps))


@pytest.mark.parametrize("failing", ["start", "switch", "workers"])
def test_a_failure_before_it_serves_for_good_undoes_everything_last_first(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str], failing: str
) -> None:
    steps[failing].fails = Failed("no", why=f"the log says {SECRET}", hint="mend it")
    runner.carry_out(deployment)
    ran = [name for name in notes if not name.startswith("undo")]
    assert ran[-1] == failing
    assert notes[len(ran) :] == [f"undo {name}" for name in reversed(ran)]
    end = _end(deployment)
    assert end["outcome"] == "failed"
    assert end["error"] == {"what": "no", "why": "the log says [redacted]", "hint": "mend it", "exit_code": 1}
    assert SECRET not in deployment.layout.ledger.read_text() + json.dumps(read_journal(deployment.journal.path))


@pytest.mark.parametrize("failing", ["drain", "record"])
def test_a_failure_after_it_serves_is_told_and_the_rest_is_done(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str], failing: str
) -> None:
    steps[failing].fails = Failed("the edge is gone")
    runner.carry_out(deployment)
    assert notes == list(steps)
    end = _end(deployment)
    assert end["outcome"] == "succeeded"
    assert end["error"]["what"] == "sha-4f4f4f4 serves, but: the edge is gone"


def test_an_undo_that_fails_does_not_stop_the_others(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str]
) -> None:
    steps["workers"].fails = Failed("no")
    steps["switch"].undo_fails = True
    runner.carry_out(deployment)
    assert notes[-1] == "undo start"
    assert _end(deployment)["outcome"] == "failed"


@pytest.mark.parametrize("error", [ValueError("x"), OSError(28, "No space left on device", "/opt/x")])
def test_what_nobody_foresaw_has_the_form_of_every_error(
    deployment: Deployment, steps: dict[str, Noting], error: Exception
) -> None:
    steps["start"].fails = error
    runner.carry_out(deployment)
    end = _end(deployment)
    assert end["error"]["what"].endswith("in start")
    assert end["error"]["hint"]


@pytest.mark.parametrize(
    ("serving", "expected"),
    [(Slot.GREEN, ["workers", "drain", "record"]), (Slot.BLUE, ["undo switch", "undo start"]), (None, None)],
)
def test_a_lost_engine_is_finished_when_it_serves_and_undone_when_not(
    deployment: Deployment,
    steps: dict[str, Noting],
    notes: list[str],
    monkeypatch: pytest.MonkeyPatch,
    serving: Slot | None,
    expected: list[str] | None,
) -> None:
    def active() -> Slot:
        if serving is None:
            raise Failed("the edge does not answer")
        return serving

    monkeypatch.setattr(deployment.edge, "active", active)
    deployment.journal.started("start")
    deployment.journal.started("switch")
    said = runner.recover(deployment)
    assert notes == (expected or ["undo switch", "undo start"])
    assert said.startswith("finished" if serving is Slot.GREEN else "undid")
    assert _end(deployment)["outcome"] == ("succeeded" if serving is Slot.GREEN else "failed")


def _names(those: Callable[[Step], bool]) -> list[str]:
    return [step.name for step in STEPS if those(step)]


def test_the_table_serves_from_the_switch_on() -> None:
    names = [step.name for step in STEPS]
    assert _names(lambda step: step.serves) == names[names.index("switch") + 1 :]
    assert _names(lambda step: step.finishes) == names[names.index("drain") :]
