"""Reports as test runners write them, and as nobody should."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from fairway.ci import junit
from fairway.findings import as_github

PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="3" time="0.1">
<testcase classname="tests.test_plan.TestHours" name="test_none" time="0.01" />
<testcase classname="tests.test_plan.TestHours" name="test_seven" time="0.01">
<failure message="AssertionError: assert 7 == 8&#10;  more">def test_seven():
&gt;       assert hours() == 8
tests/test_plan.py:9: in hours
tests/test_plan.py:12: AssertionError
lib/test_other.py:99: elsewhere</failure></testcase>
<testcase classname="tests.test_plan" name="test_later"><skipped type="pytest.skip" message="no" /></testcase>
</testsuite></testsuites>"""
VITEST = """<testsuites><testsuite name="src/plan.test.ts"><testsuite name="inner">
<testcase classname="src/plan.test.ts" name="hours &gt; are many">
<failure message="expected 7 to be 8">AssertionError
    at src/plan.test.ts:31:20</failure></testcase></testsuite></testsuite></testsuites>"""
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites><testcase name="&b;"/></testsuites>'
LEAK = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuites><testcase name="&a;"/></testsuites>'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("tests/test_plan.py", "src/plan.test.ts"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def read(root: Path, text: str) -> junit.Tests:
    (root / "report.xml").write_text(text, encoding="utf-8")
    return junit.read(root, root, ["*.xml"], {})


def test_pytest_s_report_tells_the_test_its_file_and_its_line(root: Path) -> None:
    tests = read(root, PYTEST)
    assert (tests.total, tests.skipped, tests.in_words) == (3, 1, "3 tests, 1 failed, 1 skipped")
    (failure,) = tests.failures
    assert (failure.path, failure.line) == ("tests/test_plan.py", 12)
    assert failure.test == "tests.test_plan.TestHours::test_seven"


def test_vitest_s_suites_within_suites_are_read(root: Path) -> None:
    (failure,) = read(root, VITEST).failures
    assert (failure.path, failure.line, failure.message) == ("src/plan.test.ts", 31, "expected 7 to be 8")


def test_a_failure_stands_beside_its_line_in_github_below_where_the_application_is(root: Path) -> None:
    found = junit.findings(read(root, PYTEST).failures, "unit", PurePosixPath("apps/web"))
    assert as_github(found) == (
        "::error file=apps/web/tests/test_plan.py,line=12,col=1,title=unit%3A tests.test_plan.TestHours%3A%3Atest_seven"
        "::AssertionError: assert 7 == 8%0A  more"
    )


@pytest.mark.parametrize("text", [BOMB, LEAK, "<testsuites>", "<html/>", "", "\0"])
def test_what_is_no_report_or_more_than_one_is_told_and_not_read(root: Path, text: str) -> None:
    tests = read(root, text)
    assert tests.total == 0
    assert "the report report.xml cannot be read" in tests.problems[0]


def test_a_report_that_names_a_file_outside_is_of_no_file(root: Path) -> None:
    text = '<testsuite><testcase file="../../etc/passwd" name="t"><error message="m"/></testcase></testsuite>'
    (failure,) = read(root, text).failures
    assert (failure.path, failure.message) == ("", "m")


def test_a_report_of_an_earlier_run_says_nothing_of_this_one(root: Path) -> None:
    (root / "old.xml").write_text(PYTEST, encoding="utf-8")
    before = junit.stamps(root, ["*.xml"])
    none = junit.read(root, root, ["*.xml"], before)
    assert none.total == 0
    assert none.problems == (f"no report was written: junit is *.xml, in {root}",)
    (root / "new.xml").write_text(VITEST, encoding="utf-8")
    assert junit.read(root, root, ["*.xml"], before).total == 1


def test_a_name_of_a_million_parts_is_tried_for_none_of_them(root: Path) -> None:
    name = "a." * 1_000_000
    text = f'<testsuite><testcase classname="{name}" name="t"><failure message="m"/></testcase></testsuite>'
    (failure,) = read(root, text).failures
    assert failure.path == ""
