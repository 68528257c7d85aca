"""A check's report in the forms it is read in: on a terminal, by a script, by GitHub, by code scanning."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from fairway.findings import as_github, as_sarif
from fairway.guardrails.checking import Found, Report
from fairway.guardrails.choices import Form

TOOL = "fairway guardrails"
_SOURCE_SHOWN = 160


def as_text(report: Report) -> str:
    """Return the report for people: each finding with its line and what to do, and a last line that sums up."""
    lines = [line for found in report.shown for line in (*_finding(found), "")]
    for entry in report.stale:
        lines.append(f"the baseline knows {entry.rule} in {entry.path}, and it is there no more: {entry.code}")
    if report.stale:
        lines += ["next: take it out with: fairway guardrails check --write-baseline", ""]
    return "\n".join([*lines, summary(report)])


def _finding(found: Found) -> list[str]:
    finding = found.finding
    where = f"{finding.path}:{finding.line}:{finding.column}" if finding.line else finding.path
    lines = [f"{where}: {finding.severity.value}: {finding.message} ({finding.rule})"]
    if found.source.strip():
        lines.append(f"  | {found.source.strip()[:_SOURCE_SHOWN]}")
    lines += [f"  {'next: ' if number == 0 else ''}{line}" for number, line in enumerate(finding.hint.splitlines())]
    return lines


def summary(report: Report) -> str:
    """Return one line: how many findings, and of what was looked at."""
    parts = [counted(len(report.shown), "finding")]
    if report.known:
        parts.append(f"{len(report.known)} in the baseline")
    if report.suppressed:
        parts.append(f"{len(report.suppressed)} suppressed")
    if report.stale:
        parts.append(f"{len(report.stale)} stale in the baseline")
    return f"{', '.join(parts)}; {counted(len(report.rules), 'rule')} on {counted(report.files, 'file')}"


def counted(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as one document."""
    return {
        "refused": report.refused,
        "findings": [_finding_as_json(found) for found in report.shown],
        "known": len(report.known),
        "suppressed": [
            {"path": match.path, "line": match.line, "rule": match.rule, "reason": by.reason}
            for match, by in report.suppressed
        ],
        "stale": [asdict(entry) for entry in report.stale],
        "rules": [rule.id for rule in report.rules],
        "files": report.files,
    }


def _finding_as_json(found: Found) -> dict[str, Any]:
    return {**asdict(found.finding), "severity": found.finding.severity.value, "source": found.source.strip()}


def render(report: Report, form: Form) -> str:
    """Return the report in one of its forms."""
    findings = [found.finding for found in report.shown]
    if form is Form.GITHUB:
        annotations = as_github(findings)
        return f"{annotations}\n{summary(report)}" if annotations else summary(report)
    if form is Form.TEXT:
        return as_text(report)
    document = as_json(report) if form is Form.JSON else as_sarif(findings, TOOL, report.texts)
    return json.dumps(document, indent=2, ensure_ascii=False)
