"""What a stage gets, and what is made of how it ended."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fairway.ci.execution import Setting, base_environment, execute, printable, stage_environment
from fairway.ci.results import StageResult, State
from fairway.ci.stages import Stage
from fairway.engine.contract.errors import Invalid
from fairway.process_group import Stop

ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/root", "STAGING_SSH_KEY": "the key", "PROD_GHCR_TOKEN": "the token"}


def run(stage: Stage, root: Path, environ: Mapping[str, str] = ENVIRON) -> StageResult:
    setting = Setting(root=root, logs=root / "logs", compose=None, project="p", environ=environ)
    setting.logs.mkdir(exist_ok=True)
    return execute(stage, setting, lambda line: None, Stop())


def test_a_stage_gets_none_of_the_pipeline_s_secrets(tmp_path: Path) -> None:
    result = run(Stage("unit", "env"), tmp_path)
    assert result.log is not None
    said = result.log.read_text(encoding="utf-8")
    assert "HOME=/root" in said
    assert "the key" not in said
    assert "the token" not in said


def test_a_stage_gets_the_secret_that_its_own_environment_names(tmp_path: Path) -> None:
    found = stage_environment(
        Stage("push", "true", env={"TOKEN": "${PROD_GHCR_TOKEN}", "PRICE": "5$$"}), {"PATH": "/bin"}, ENVIRON
    )
    assert found == {"PATH": "/bin", "TOKEN": "the token", "PRICE": "5$"}


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    result = run(Stage("unit", "true", env={"PORT": "${CI_POSTGRES_PORT}"}), tmp_path)
    assert (result.state, result.exit_code) == (State.FAILED, None)
    assert result.reason == "unit: env.PORT names CI_POSTGRES_PORT, which is not set"
    with pytest.raises(Invalid):
        stage_environment(result.stage, {}, {})


def test_fairway_is_found_by_a_stage_after_everything_else_on_path() -> None:
    found = base_environment({"PATH": "/nowhere"}, {})["PATH"]
    assert found == f"/nowhere:{Path(sys.executable).parent}"


@pytest.mark.parametrize(
    ("script", "state", "reason", "code"),
    [
        ("true", State.PASSED, "", 0),
        ("false; true", State.FAILED, "exit code 1", 1),
        ("false | true", State.FAILED, "exit code 1", 1),
        ("echo $NOWHERE", State.FAILED, "exit code 1", 1),
        ("exit 7", State.FAILED, "exit code 7", 7),
        ("kill -SEGV $$", State.FAILED, "ended by SIGSEGV", -11),
    ],
)
def test_how_a_script_ends_is_how_its_stage_does(
    tmp_path: Path, script: str, state: State, reason: str, code: int
) -> None:
    result = run(Stage("s", script), tmp_path)
    assert (result.state, result.reason, result.exit_code) == (state, reason, code)


def test_a_stage_that_takes_too_long_has_failed(tmp_path: Path) -> None:
    result = run(Stage("s", "echo begun; exec sleep 1000", timeout_s=0.2), tmp_path)
    assert (result.state, result.reason) == (State.FAILED, "took longer than 0.2 s")
    assert result.tail == ("begun",)


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    result = run(Stage("s", "true", dir="apps/web"), tmp_path)
    assert result.state is State.FAILED
    assert "apps/web does not exist" in result.reason


def test_the_log_is_kept_as_it_is_and_its_end_without_what_a_terminal_obeys(tmp_path: Path) -> None:
    result = run(Stage("s", r"printf '\033[31mred\033[0m \033]0;title\007done\n'"), tmp_path)
    assert result.log is not None
    assert result.log.read_text(encoding="utf-8") == "\x1b[31mred\x1b[0m \x1b]0;title\x07done\n"
    assert result.tail == ("red done",)
    assert printable("a\x9bb\x00c\tд") == "abc\tд"


def test_reports_that_contradict_the_exit_code_are_noted(tmp_path: Path) -> None:
    report = '<testsuite><testcase name="t"><failure message="m"/></testcase></testsuite>'
    result = run(Stage("s", f"echo '{report}' >r.xml", junit=("r.xml", "none-*.xml")), tmp_path)
    assert result.state is State.PASSED
    assert result.notes == ("its reports name failures, and it ended with 0",)
