"""What other programs read of a check's findings."""

from __future__ import annotations

import pytest

from fairway.findings import Finding, RuleText, Severity, as_github, as_sarif

FOUND = Finding("db/1.sql", 3, 7, "drops-a-column", Severity.ERROR, "drops orders.note", "expand first", "abc")


def test_an_annotation_names_file_line_rule_and_what_to_do() -> None:
    assert as_github([FOUND]) == (
        "::error file=db/1.sql,line=3,col=7,title=drops-a-column::drops orders.note%0Anext: expand first"
    )


@pytest.mark.parametrize(
    ("severity", "command"), [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.NOTE, "notice")]
)
def test_an_annotation_is_of_the_findings_severity(severity: Severity, command: str) -> None:
    assert as_github([Finding("a", 1, 1, "r", severity, "m")]).startswith(f"::{command} ")


def test_a_finding_of_a_whole_file_names_no_line() -> None:
    whole = Finding("a.ts", 0, 0, "r", Severity.WARNING, "m")
    assert as_github([whole]) == "::warning file=a.ts,title=r::m"
    (result,) = as_sarif([whole], "t", [])["runs"][0]["results"]
    assert "region" not in result["locations"][0]["physicalLocation"]


def test_no_finding_can_begin_a_workflow_command_of_its_own() -> None:
    evil = Finding("a,b:c\n::set-env::.ts", 1, 1, "r", Severity.ERROR, "100%\n::add-mask::x\r\n")
    text = as_github([evil])
    assert len(text.splitlines()) == 1
    assert "file=a%2Cb%3Ac%0A%3A%3Aset-env%3A%3A.ts," in text
    assert text.endswith("100%25%0A::add-mask::x%0D%0A")


def test_sarif_points_each_result_at_its_rule() -> None:
    rules = [RuleText("other", Severity.NOTE, "o"), RuleText("drops-a-column", Severity.ERROR, "m", "because", "do")]
    run = as_sarif([FOUND], "fairway migrations lint", rules)["runs"][0]
    (result,) = run["results"]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "drops-a-column"
    assert rule["fullDescription"] == {"text": "because"}
    assert rule["help"] == {"text": "do"}
    assert result["partialFingerprints"] == {"fairway/v1": "abc"}
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 3, "startColumn": 7}


def test_sarif_lists_a_rule_that_nobody_described() -> None:
    run = as_sarif([FOUND], "t", [])["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["drops-a-column"]


def test_sarif_names_a_file_by_a_valid_uri() -> None:
    (result,) = as_sarif([Finding("a b/ü.ts", 1, 1, "r", Severity.NOTE, "m")], "t", [])["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b/%C3%BC.ts"
