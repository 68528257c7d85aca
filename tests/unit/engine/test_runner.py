"""The runner: what is undone, what is finished, and what is written down, with steps that only take notes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fairway.engine import runner
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Digest, Slot, Tag
from fairway.engine.deployment import Action, Deployment, Request, ask_cancel
from fairway.engine.hostconfig import HostConfig
from fairway.engine.journal import has_ended, read_journal
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.state import State
from fairway.engine.steps import STEPS, Step
from fairway.engine.steps.base import Direction, Recovery
from scripts import recovery_table
from scripts.tables import rewritten

SECRET = "hunter2-hunter2"
FULL = OSError(28, "No space left on device", "/opt/x")


class Noting(Step):
    """A step that writes down what it was asked to do."""

    def __init__(
        self, name: str, notes: list[str], direction: Direction, *, finishes: bool = False, records: bool = False
    ) -> None:
        self.name = name
        self.recovery = Recovery(direction, "", "")
        self.finishes = finishes
        self.records = records
        self.fails: Exception | None = None
        self.undo_fails: Exception | None = None
        self.before_run: Callable[[], object] = lambda: None
        self._notes = notes

    def plan(self, deployment: Deployment) -> str:
        return f"would {self.name}"

    def run(self, deployment: Deployment) -> str:
        self._notes.append(self.name)
        self.before_run()
        if self.fails:
            raise self.fails
        return "done"

    def undo(self, deployment: Deployment) -> str | None:
        self._notes.append(f"undo {self.name}")
        if self.undo_fails:
            raise self.undo_fails
        return "undone"


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def steps(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Noting]:
    made = [
        Noting("start", notes, Direction.UNDO),
        Noting("switch", notes, Direction.ASK_EDGE),
        Noting("workers", notes, Direction.FINISH),
        Noting("drain", notes, Direction.FINISH, finishes=True),
        Noting("record", notes, Direction.FINISH, finishes=True, records=True),
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
    assert (end["outcome"], end["failed_in"]) == ("failed", failing)
    assert end["error"] == {"what": "no", "why": "the log says [redacted]", "hint": "mend it", "exit_code": 1}
    assert SECRET not in deployment.layout.ledger.read_text() + json.dumps(read_journal(deployment.journal.path))


def test_a_failure_after_it_serves_is_told_and_the_rest_is_done(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str]
) -> None:
    steps["drain"].fails = Failed("the edge is gone")
    runner.carry_out(deployment)
    assert notes == list(steps)
    end = _end(deployment)
    assert end["outcome"] == "succeeded"
    assert "failed_in" not in end
    assert end["error"]["what"] == "sha-4f4f4f4 serves, but: the edge is gone"


def test_an_undo_that_fails_does_not_stop_the_others(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str]
) -> None:
    steps["workers"].fails = Failed("no")
    steps["switch"].undo_fails = Failed("the old container is gone")
    runner.carry_out(deployment)
    assert notes[-1] == "undo start"
    end = _end(deployment)
    assert end["outcome"] == "failed"
    assert "it could not be undone" in end["error"]["why"]
    assert "fairway reconcile" in end["error"]["hint"]


def test_what_could_not_be_recorded_is_recorded_by_whoever_comes_next(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended without its record, the host would go on taking the old release for the one that serves."""
    steps["record"].fails = FULL
    with pytest.raises(Failed, match="sha-4f4f4f4 serves, and that is not on record"):
        runner.carry_out(deployment)
    assert not has_ended(read_journal(deployment.journal.path))
    assert list(Ledger(deployment.layout.ledger).entries()) == []

    steps["record"].fails = None
    monkeypatch.setattr(deployment.edge, "serving", lambda: Slot.GREEN)
    notes.clear()
    assert runner.recover(deployment) == "finished the interrupted deploy of sha-4f4f4f4, lost in record"
    assert notes == ["record"]
    assert _end(deployment)["outcome"] == "succeeded"


def test_what_a_full_disk_kept_from_being_undone_is_undone_by_whoever_comes_next(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended half undone, traffic would stay where the record does not have it."""
    steps["workers"].fails = Failed("no")
    steps["switch"].undo_fails = FULL
    with pytest.raises(Failed, match="switch"):
        runner.carry_out(deployment)
    assert notes[-1] == "undo start", "the others are undone all the same"
    assert not has_ended(read_journal(deployment.journal.path))

    steps["switch"].undo_fails = None
    monkeypatch.setattr(deployment.edge, "serving", lambda: Slot.GREEN)
    notes.clear()
    runner.recover(deployment)
    assert notes == ["undo workers", "undo switch", "undo start"]
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
    [
        (Slot.GREEN, ["switch", "workers", "drain", "record"]),
        (Slot.BLUE, ["undo switch", "undo start"]),
        (None, ["undo switch", "undo start"]),
    ],
)
def test_an_engine_lost_in_the_switch_is_decided_by_the_edge(
    deployment: Deployment,
    steps: dict[str, Noting],
    notes: list[str],
    monkeypatch: pytest.MonkeyPatch,
    serving: Slot | None,
    expected: list[str],
) -> None:
    monkeypatch.setattr(deployment.edge, "serving", lambda: serving)
    deployment.journal.started("start")
    deployment.journal.started("switch")
    said = runner.recover(deployment)
    assert notes == expected
    assert said.startswith("finished" if serving is Slot.GREEN else "undid")
    assert said.endswith("lost in switch")
    assert _end(deployment)["outcome"] == ("succeeded" if serving is Slot.GREEN else "failed")


def test_an_engine_lost_while_it_took_things_back_goes_on_taking_back(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment.edge, "serving", lambda: Slot.GREEN)
    for name in ("start", "switch", "workers"):
        deployment.journal.started(name)
    deployment.journal.failed("workers", "the worker does not stay up")
    runner.recover(deployment)
    assert notes == ["undo workers", "undo switch", "undo start"]
    assert _end(deployment)["outcome"] == "failed"


def test_an_engine_lost_between_the_ledger_and_the_journals_end_adds_no_second_entry(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str]
) -> None:
    runner.carry_out(deployment)
    path = deployment.journal.path
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    notes.clear()
    runner.recover(deployment)
    assert notes == []
    assert _end(deployment)["outcome"] == "succeeded"


def test_cancelled_is_reverted_and_on_record_with_who_asked(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str]
) -> None:
    steps["switch"].before_run = lambda: ask_cancel(deployment.layout, deployment.request.id, by="grace@ci")
    runner.carry_out(deployment)
    assert notes == ["start", "switch", "undo switch", "undo start"]
    end = _end(deployment)
    assert (end["outcome"], end["error"]["exit_code"]) == ("cancelled", 130)
    assert "grace@ci" in end["error"]["why"]


def test_once_it_serves_for_good_a_cancel_comes_too_late(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str]
) -> None:
    steps["drain"].before_run = lambda: ask_cancel(deployment.layout, deployment.request.id, by="grace@ci")
    runner.carry_out(deployment)
    assert notes == list(steps)
    assert _end(deployment)["outcome"] == "succeeded"


def test_a_plan_names_each_step_and_runs_none(
    deployment: Deployment, steps: dict[str, Noting], notes: list[str]
) -> None:
    assert runner.plan(deployment) == [{"step": name, "change": f"would {name}"} for name in steps]
    assert notes == []
    assert not deployment.journal.path.exists()


def _names(those: Callable[[Step], bool]) -> list[str]:
    return [step.name for step in STEPS if those(step)]


def test_the_table_serves_from_the_switch_on() -> None:
    names = [step.name for step in STEPS]
    assert _names(lambda step: step.serves) == names[names.index("switch") + 1 :]
    assert _names(lambda step: step.finishes) == names[names.index("drain") :]


def test_the_recovery_table_of_the_docs_is_the_tables_own() -> None:
    page = recovery_table.PAGE.read_text(encoding="utf-8")
    assert rewritten(page, recovery_table.render()) == page, "run: make docs"
