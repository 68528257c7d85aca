"""What a check found in a file, in the forms that other programs read: GitHub's annotations and SARIF.

>>> found = Finding("db/1.sql", 3, 1, "drops-a-column", Severity.ERROR, "drops orders.note", "expand first")
>>> print(as_github([found]))
::error file=db/1.sql,line=3,col=1,title=drops-a-column::drops orders.note%0Anext: expand first
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from fairway import __version__

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class Severity(enum.Enum):
    """How much a finding matters; the values are SARIF's levels."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One place in one file that a rule speaks of.

    ``path`` is relative to the repository's root, with ``/``. ``line`` and ``column`` count from 1,
    the column in characters; a ``line`` of 0 means the file as a whole. ``hint`` is what to do, and
    may be empty. ``fingerprint`` is the same for the same finding on another line, where the check
    can tell; it may be empty.
    """

    path: str
    line: int
    column: int
    rule: str
    severity: Severity
    message: str
    hint: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class RuleText:
    """What is said of a rule where its findings are shown: in one line, and why it is there."""

    id: str
    severity: Severity
    message: str
    why: str = ""
    hint: str = ""


def as_github(findings: Iterable[Finding]) -> str:
    """Return GitHub's workflow commands that put each finding beside its line, one a line.

    GitHub shows the first ten of each severity in a step; the rest is in the log.
    """
    return "\n".join(_annotation(finding) for finding in findings)


def github_error(title: str, text: str) -> str:
    """Return GitHub's workflow command for an error that is of no file.

    >>> github_error("unit failed", "exit code 1")
    '::error title=unit failed::exit code 1'
    """
    return f"::error title={_escape_property(title)}::{_escape(text)}"


def as_sarif(findings: Sequence[Finding], tool: str, rules: Sequence[RuleText]) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log of one run of ``tool``, for GitHub's code scanning and for editors.

    A rule that a finding names and ``rules`` lacks is listed by its id alone.
    """
    known = {rule.id: rule for rule in rules}
    for finding in findings:
        known.setdefault(finding.rule, RuleText(finding.rule, finding.severity, finding.rule))
    order = {rule: index for index, rule in enumerate(known)}
    driver = {"name": tool, "semanticVersion": __version__, "rules": [_sarif_rule(rule) for rule in known.values()]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, order[finding.rule]) for finding in findings],
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _annotation(finding: Finding) -> str:
    command = "notice" if finding.severity is Severity.NOTE else finding.severity.value
    where = {"file": finding.path}
    if finding.line > 0:
        where |= {"line": str(finding.line), "col": str(max(finding.column, 1))}
    properties = ",".join(f"{key}={_escape_property(value)}" for key, value in {**where, "title": finding.rule}.items())
    text = f"{finding.message}\nnext: {finding.hint}" if finding.hint else finding.message
    return f"::{command} {properties}::{_escape(text)}"


def _escape(text: str) -> str:
    # As actions/toolkit does it: an unescaped line break would begin a workflow command of somebody else's making.
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")


def _sarif_rule(rule: RuleText) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": rule.id,
        "shortDescription": {"text": rule.message},
        "defaultConfiguration": {"level": rule.severity.value},
    }
    if rule.why:
        document["fullDescription"] = {"text": rule.why}
    if rule.hint:
        document["help"] = {"text": rule.hint}
    return document


def _sarif_result(finding: Finding, rule_index: int) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": quote(str(PurePosixPath(finding.path)))}}
    if finding.line > 0:
        location["region"] = {"startLine": finding.line, "startColumn": max(finding.column, 1)}
    document: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": finding.severity.value,
        "message": {"text": f"{finding.message}\nnext: {finding.hint}" if finding.hint else finding.message},
        "locations": [{"physicalLocation": location}],
    }
    if finding.fingerprint:
        document["partialFingerprints"] = {"fairway/v1": finding.fingerprint}
    return document
