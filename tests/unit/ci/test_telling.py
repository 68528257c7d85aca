"""What a run shows in a pipe and in GitHub, and what is written of it."""

from __future__ import annotations

import io
import json
from pathlib import Path, PurePosixPath

import pytest

from fairway.ci import summary
from fairway.ci.junit import Failure, Tests
from fairway.ci.results import StageResult, State
from fairway.ci.showing import GitHub, OnTerminal, Plain, checkout_path, harmless
from fairway.ci.stages import Stage

UNIT, E2E = Stage("unit", "x"), Stage("e2e", "x", needs=("unit",))
FAILURES = (
    Failure("tests::test_a", "is `7`\nnot 8", path="tests/test_a.py", line=3),
    Failure("test_b", "::error::x"),
)


@pytest.fixture
def failed(tmp_path: Path) -> StageResult:
    log = tmp_path / "unit.log"
    log.write_text("first\n\x1b[31mlast\x1b[0m", encoding="utf-8")
    tests = Tests(3, 0, FAILURES)
    return StageResult(UNIT, State.FAILED, "exit code 1", 1.23, 1, log, ("first", "```", "last"), tests, ("a|note",))


def skipped() -> StageResult:
    return StageResult(E2E, State.SKIPPED, "needs unit, which failed")


def test_in_github_a_stage_is_a_group_once_it_has_ended_and_its_failures_come_after_it(failed: StageResult) -> None:
    stream = io.StringIO()
    reporter = GitHub(stream, PurePosixPath("apps"))
    reporter.begin([UNIT, E2E])
    reporter.started(UNIT)
    reporter.line(UNIT, "first")
    reporter.ended(failed)
    reporter.ended(skipped())
    assert stream.getvalue().splitlines() == [
        "unit started",
        "::group::✗ unit failed after 1.2 s (3 tests, 2 failed): exit code 1",
        "first",
        "\x1b[31mlast\x1b[0m",
        "fairway: a|note",
        "::endgroup::",
        "::error file=apps/tests/test_a.py,line=3,col=1,title=unit%3A tests%3A%3Atest_a::is `7`%0Anot 8",
        "::error title=unit%3A test_b::::error::x",
        "- e2e skipped: needs unit, which failed",
    ]


def test_in_a_pipe_each_line_has_its_stage_in_front(failed: StageResult) -> None:
    stream = io.StringIO()
    reporter = Plain(stream)
    reporter.begin([UNIT, E2E])
    reporter.line(E2E, "hello")
    reporter.ended(failed)
    assert stream.getvalue().splitlines() == [
        "e2e  | hello",
        "✗ unit failed after 1.2 s (3 tests, 2 failed): exit code 1",
        "unit ! a|note",
    ]


def test_on_a_terminal_each_stage_has_a_line_and_a_failure_its_log_s_end(failed: StageResult) -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    reporter = OnTerminal(console)
    reporter.begin([UNIT, E2E])
    reporter.started(UNIT)
    reporter.line(UNIT, "collecting [bold]" + "." * 200)
    during = Console(file=io.StringIO(), width=80)
    during.print(reporter._table())
    reporter.ended(failed)
    reporter.end()
    assert isinstance(during.file, io.StringIO)
    first, second = during.file.getvalue().splitlines()
    assert " unit 0." in first
    assert " s collecting [bold]..." in first
    assert len(first) <= 80
    assert "e2e" in second
    assert "needs unit" in second
    assert isinstance(console.file, io.StringIO)
    assert "✗ unit failed after 1.2 s (3 tests, 2 failed): exit code 1" in console.file.getvalue()


def test_the_summary_is_a_table_with_the_failures_and_the_log_s_end_below(failed: StageResult) -> None:
    assert summary.as_markdown([failed, skipped()], State.FAILED, 4.56) == (
        "## CI failed in 4.6 s\n\n"
        "| | stage | time | tests | |\n| --- | --- | ---: | --- | --- |\n"
        "| ❌ | unit | 1.2 s | 3 tests, 2 failed | exit code 1; a\\|note |\n"
        "| ⏭️ | e2e |  |  | needs unit, which failed |\n\n"
        "### unit: exit code 1\n\n"
        "- `tests::test_a` (`tests/test_a.py:3`): `` is `7` ``\n"
        "- `test_b`: `::error::x`\n\n"
        "<details><summary>The end of its log</summary>\n\n"
        "````text\nfirst\n```\nlast\n````\n\n</details>\n"
    )


def test_the_document_says_the_same_to_a_program(failed: StageResult) -> None:
    document = json.loads(json.dumps(summary.as_json([failed, skipped()], State.FAILED, 4.56)))
    assert (document["outcome"], document["seconds"]) == ("failed", 4.56)
    unit, e2e = document["stages"]
    assert (unit["state"], unit["exit_code"], unit["tests"]["failed"]) == ("failed", 1, 2)
    assert unit["tests"]["failures"][0]["path"] == "tests/test_a.py"
    assert (e2e["state"], e2e["reason"], e2e["log"]) == ("skipped", "needs unit, which failed", None)


@pytest.mark.parametrize(
    ("workspace", "expected"), [("{}", "apps/web"), ("", "."), ("{}/elsewhere", "."), ("{}/apps/web", ".")]
)
def test_annotations_are_relative_to_the_checkout(tmp_path: Path, workspace: str, expected: str) -> None:
    root = tmp_path / "apps" / "web"
    assert checkout_path(root, {"GITHUB_WORKSPACE": workspace.format(tmp_path)}) == PurePosixPath(expected)


@pytest.mark.parametrize(
    "line",
    [
        "::stop-commands::x",
        " ::endgroup::",
        "::GROUP::x",
        "::set-output name=a::b",
        "x ##[endgroup]",
        "::error::##[group]x",
    ],
)
def test_a_stage_s_output_neither_ends_its_group_nor_silences_github(line: str) -> None:
    shown = harmless(line)
    assert not shown.lstrip().startswith("::")
    assert "##[" not in shown


@pytest.mark.parametrize(
    "line", ["::error file=a.ts,line=1::no", "##[warning]x", "::add-mask::x", "a::b", "std::move(x)"]
)
def test_what_a_stage_tells_github_of_its_own_findings_is_passed_on(line: str) -> None:
    assert harmless(line) == line


def test_a_test_s_name_begins_no_markdown_and_stays_short(failed: StageResult) -> None:
    tests = Tests(1, 0, (Failure("a\n\n![x](http://evil.example)" + "x" * 10_000, "m"),))
    result = StageResult(UNIT, State.FAILED, "exit code 1", 1.0, 1, failed.log, (), tests)
    (line,) = [line for line in summary.as_markdown([result], State.FAILED, 1.0).splitlines() if "evil" in line]
    assert line.startswith("- `a ![x](http://evil.example)xx")
    assert len(line) < 300


def test_the_page_stays_within_what_github_takes(failed: StageResult) -> None:
    many = Tests(50, 0, tuple(Failure(f"{'é' * 200}{n}", "é" * 300) for n in range(50)))
    result = StageResult(UNIT, State.FAILED, "exit code 1", 1.0, 1, failed.log, ("é" * 400,) * 60, many)
    page = summary.as_markdown([result] * 20, State.FAILED, 1.0)
    assert len(page.encode()) < 1024 * 1024
    assert page.endswith("they are in the logs.\n")


def test_no_more_failures_are_annotated_than_somebody_reads(failed: StageResult) -> None:
    many = Tests(999, 0, tuple(Failure(f"t{n}", "m") for n in range(999)))
    stream = io.StringIO()
    GitHub(stream, PurePosixPath()).ended(StageResult(UNIT, State.FAILED, "x", 1.0, 1, failed.log, (), many))
    assert 10 <= stream.getvalue().count("::error") <= 50
