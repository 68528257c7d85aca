"""The fault matrix decides right: which cells there are, which requests may fail, and when the watcher strikes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fairway.engine.steps import STEPS
from testbed.waiting import wait_for
from tests.faults.cell import Cell
from tests.faults.faults import FAULTS, Fault, Moment, Permitted
from tests.faults.results import Result, render
from tests.faults.watcher import wait_for_line

NONE = Permitted("nothing of it is in the way")
BLIP = Permitted("down until it is started again", 5.0)
OUTAGE = Permitted("the host is down", 5.0, after_mending=True)
ONCE_NEW = Permitted("once it serves", 5.0, once_new_serves=True)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_has_one_cell_in_which_it_hurts_most(fault: Fault) -> None:
    worst = [step.name for step in STEPS for moment in Moment if Cell(step, moment, fault).is_worst]
    assert len(worst) == 1


@pytest.mark.parametrize(
    ("permitted", "at_s", "new_served", "allowed"),
    [
        (NONE, 10.0, True, False),
        (BLIP, 9.0, True, False),
        (BLIP, 12.0, True, True),
        (BLIP, 16.0, True, False),
        (OUTAGE, 22.0, True, True),
        (OUTAGE, 26.0, True, False),
        (ONCE_NEW, 12.0, True, True),
        (ONCE_NEW, 12.0, False, False),
    ],
)
def test_a_request_may_fail_only_while_the_fault_explains_it(
    permitted: Permitted, at_s: float, new_served: bool, allowed: bool
) -> None:
    assert permitted.allows(at_s, struck_s=10.0, mended_s=20.0, new_served=new_served) is allowed


def test_the_page_has_a_row_for_every_moment_of_every_step_and_marks_what_broke() -> None:
    step, fault = STEPS[0], FAULTS[0]
    good = Result(step.name, Moment.BEFORE.value, fault.name, "old, undone, 0/200")
    bad = Result(step.name, Moment.AFTER.value, fault.name, "old, undone, 3/200", ("3 requests failed",))
    page = render([good, bad])
    assert f"| before {step.name} | old, undone, 0/200 |" in page
    assert f"| after {step.name} | **old, undone, 3/200** |" in page
    for one in STEPS:
        assert f"| after {one.name} |" in page
    for one_fault in FAULTS:
        assert f"| {one_fault.name} | {one_fault.does} |" in page


@pytest.fixture
def watch(tmp_path: Path) -> Callable[[str, str], list[bool]]:
    """Watch for a line beside a deployment that is over; the list has the answer once there is one."""
    _write(tmp_path / "20260131-110000-000000", {"step": "pull", "mark": "started"})

    def start(step: str, mark: str) -> list[bool]:
        said: list[bool] = []
        threading.Thread(target=lambda: said.append(wait_for_line(tmp_path, step, mark)), daemon=True).start()
        return said

    return start


def test_the_watcher_strikes_at_the_line_of_the_next_deployment_only(
    watch: Callable[[str, str], list[bool]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = watch("pull", "started")
    wait_for("the watcher", lambda: "watching" in capsys.readouterr().out)
    assert said == []
    _write(tmp_path / "20260131-120000-000000", {"step": "verify", "mark": "started"}, {"step": "pull", "mark": "sta"})
    assert said == []
    _write(tmp_path / "20260131-120000-000000", {"step": "pull", "mark": "started"})
    wait_for("its answer", lambda: said == [True])


def test_the_watcher_says_so_when_the_deployment_ends_without_the_line(
    watch: Callable[[str, str], list[bool]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = watch("canary", "started")
    wait_for("the watcher", lambda: "watching" in capsys.readouterr().out)
    _write(tmp_path / "20260131-120000-000000", {"step": "verify", "mark": "done"}, {"kind": "ended"})
    wait_for("its answer", lambda: said == [False])


def _write(deployment: Path, *entries: dict[str, str]) -> None:
    deployment.mkdir(exist_ok=True)
    with (deployment / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(entry) + "\n" for entry in entries))
