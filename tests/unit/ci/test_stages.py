"""Which stages run, in which order, and which never will."""

from __future__ import annotations

import pytest

from fairway.ci.results import StageResult, State
from fairway.ci.schedule import Schedule
from fairway.ci.stages import Stage, choose, stages_of
from fairway.config.load import parse
from fairway.engine.contract.errors import Invalid

MINIMAL = 'project = "x"\n[images]\napp = "localhost/x-app"\nmigrator = "localhost/x-migrator"\n'
FILE = (
    MINIMAL
    + """
[ci]
compose = "ci.yml"
[ci.stages.e2e]
run = ["pnpm", "e2e"]
needs = ["unit", "build"]
[ci.stages.lint]
run = "pnpm lint"
[ci.stages.unit]
run = "pnpm test"
needs = ["lint"]
services = ["postgres"]
[ci.stages.build]
run = "pnpm build"
needs = ["lint"]
"""
)


def stages() -> tuple[Stage, ...]:
    return stages_of(parse(FILE).ci)


def names(chosen: object) -> list[str]:
    assert isinstance(chosen, tuple | list)
    return [stage.name for stage in chosen]


def test_each_stage_comes_after_those_it_needs_and_otherwise_as_in_the_file() -> None:
    assert names(stages()) == ["lint", "unit", "build", "e2e"]


def test_a_string_is_a_script_of_bash_and_a_list_a_program() -> None:
    by_name = {stage.name: stage.argv for stage in stages()}
    assert by_name["lint"] == ["bash", "-euo", "pipefail", "-c", "pnpm lint"]
    assert by_name["e2e"] == ["pnpm", "e2e"]


@pytest.mark.parametrize(
    ("only", "start", "expected"),
    [
        ((), None, ["lint", "unit", "build", "e2e"]),
        (("e2e", "lint"), None, ["lint", "e2e"]),
        ((), "lint", ["lint", "unit", "build", "e2e"]),
        ((), "unit", ["unit", "e2e"]),
        ((), "e2e", ["e2e"]),
    ],
)
def test_a_part_of_the_stages_can_be_asked_for(only: tuple[str, ...], start: str | None, expected: list[str]) -> None:
    assert names(choose(stages(), only=only, start=start)) == expected


@pytest.mark.parametrize(
    ("only", "start", "said"),
    [
        (("units",), None, "there is no stage 'units'"),
        ((), "units", "there is no stage 'units'"),
        (("unit",), "unit", "--only and --from"),
    ],
)
def test_what_no_stage_is_called_is_refused(only: tuple[str, ...], start: str | None, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        choose(stages(), only=only, start=start)


def test_a_file_without_stages_is_told_how_to_begin() -> None:
    with pytest.raises(Invalid, match="there are no stages yet"):
        stages_of(parse(MINIMAL).ci)


def passed(stage: Stage) -> StageResult:
    return StageResult(stage, State.PASSED)


def test_stages_run_beside_each_other_up_to_the_limit_and_after_what_they_need() -> None:
    schedule = Schedule(stages())
    (lint,) = schedule.take(1)
    assert schedule.take(4) == []
    schedule.record(passed(lint))
    (unit,) = schedule.take(1)
    assert unit.name == "unit"
    (build,) = schedule.take(2)
    assert build.name == "build"
    schedule.record(passed(build))
    assert schedule.take(2) == []
    schedule.record(passed(unit))
    (e2e,) = schedule.take(2)
    assert not schedule.over
    schedule.record(passed(e2e))
    assert schedule.over


def test_what_needs_a_stage_that_failed_is_skipped_and_so_is_what_needs_that() -> None:
    schedule = Schedule([*stages(), Stage("deploy", "true", needs=("e2e",))])
    (lint,) = schedule.take(4)
    schedule.record(passed(lint))
    unit, build = schedule.take(4)
    schedule.record(StageResult(unit, State.FAILED))
    assert schedule.take(4) == []
    schedule.record(passed(build))
    assert schedule.take(4) == []
    assert schedule.over
    assert [(one.name, one.state, one.reason) for one in schedule.results()[3:]] == [
        ("e2e", State.SKIPPED, "needs unit, which failed"),
        ("deploy", State.SKIPPED, "needs e2e, which was skipped"),
    ]


def test_what_has_not_started_can_be_skipped_while_the_rest_ends() -> None:
    schedule = Schedule(stages())
    (lint,) = schedule.take(4)
    schedule.skip_rest("the run was cancelled")
    assert not schedule.over
    schedule.record(passed(lint))
    assert schedule.take(4) == []
    assert schedule.over
    assert {one.reason for one in schedule.results()} == {"", "the run was cancelled"}
