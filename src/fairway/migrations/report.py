"""What is said of the migrations of a repository, in the forms it is read in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fairway.engine.contract.manifest import MigratorKind, Verdict
from fairway.findings import Finding, RuleText, Severity, as_github, as_sarif
from fairway.migrations.assessing import Assessed, Assessment
from fairway.migrations.choices import Form
from fairway.migrations.commands import RULE as FORBIDDEN
from fairway.migrations.judgement import Judgement

TOOL = "fairway migrations"
_STALE = RuleText("stale-verdict", Severity.ERROR, "a word on a migration that holds for nothing")


@dataclass(frozen=True)
class Report:
    """A look at the migrations. ``assessment`` has all of them, ``shown`` are the ids that were asked for."""

    kind: MigratorKind
    directory: str
    verdicts: str
    assessment: Assessment
    shown: frozenset[str]
    forbidden: tuple[Finding, ...]

    @property
    def migrations(self) -> tuple[Assessed, ...]:
        """Those that were asked for, in the order they are applied."""
        return tuple(one for one in self.assessment.migrations if one.source.id in self.shown)

    @property
    def unsettled(self) -> tuple[Assessed, ...]:
        """Those of them that need a word."""
        return tuple(one for one in self.migrations if one.problem)

    @property
    def refused(self) -> bool:
        """Whether something needs attention."""
        return bool(self.unsettled or self.assessment.faults or self.forbidden)


def render(report: Report, form: Form) -> str:
    """Return the report in one of its forms."""
    if form is Form.TEXT:
        return as_text(report)
    if form is Form.GITHUB:
        annotations = as_github(findings(report))
        return f"{annotations}\n{summary(report)}" if annotations else summary(report)
    document = as_json(report) if form is Form.JSON else as_sarif(findings(report), TOOL, [FORBIDDEN, _STALE])
    return json.dumps(document, indent=2, ensure_ascii=False)


def findings(report: Report) -> list[Finding]:
    """Return everything that has a place in a file: errors need attention, the rest is told."""
    found = [finding for one in report.migrations for finding in _of_migration(one)]
    for fault in report.assessment.faults:
        found.append(Finding(report.verdicts, fault.line, 1, _STALE.id, _STALE.severity, fault.message, fault.hint))
    return [*found, *report.forbidden]


def _of_migration(one: Assessed) -> list[Finding]:
    settled = Severity.ERROR if one.problem else Severity.NOTE
    found = [
        Finding(
            one.source.path,
            judgement.line,
            1,
            judgement.rule,
            settled,
            f"{judgement.verdict.value.upper()}: {judgement.reason} ({judgement.statement})",
            _next(one, judgement),
        )
        for judgement in one.judgements
        if judgement.verdict is not Verdict.EXPAND
    ]
    found += [
        Finding(one.source.path, hazard.line, 1, hazard.rule, Severity.WARNING, hazard.message, hazard.hint)
        for hazard in one.hazards
    ]
    return found


def _next(one: Assessed, judgement: Judgement) -> str:
    accept = accept_command(one) if one.problem else ""
    return "\n".join(part for part in (judgement.safe_way, f"or, to say so: {accept}" if accept else "") if part)


def accept_command(one: Assessed) -> str:
    """Return the command that settles a migration."""
    word = "contract" if one.judged is Verdict.CONTRACT else "expand|contract"
    return f'fairway migrations accept {one.source.id} --as {word} --reason "..."'


def as_text(report: Report) -> str:
    """Return the report for people: each migration, what in it is not plain expansion, and a last line that sums up."""
    lines: list[str] = []
    for one in report.migrations:
        lines += _told(one)
    for fault in report.assessment.faults:
        lines += [f"{report.verdicts}:{fault.line}: error: {fault.message}", f"  next: {fault.hint}", ""]
    for finding in report.forbidden:
        lines += [f"{finding.path}:{finding.line}: error: {finding.message}", f"  next: {finding.hint}", ""]
    return "\n".join([*lines, summary(report)])


def _told(one: Assessed) -> list[str]:
    verdict = one.verdict.value.upper()
    if one.accepted is not None:
        judged = "" if one.judged is one.verdict else f"judged {one.judged.value.upper()}, "
        verdict += f" ({judged}accepted: {one.accepted.reason})"
    lines = [f"{one.source.id}  {verdict}"]
    for judgement in one.judgements:
        if judgement.verdict is Verdict.EXPAND:
            continue
        lines.append(f"  {one.source.path}:{judgement.line}: {judgement.verdict.value.upper()} ({judgement.rule})")
        lines.append(f"    | {judgement.statement}")
        lines.append(f"    {judgement.reason}")
        if judgement.safe_way and one.problem:
            lines.append(f"    safe way: {judgement.safe_way}")
    for hazard in one.hazards:
        lines.append(f"  {one.source.path}:{hazard.line}: lock hazard: {hazard.message} ({hazard.rule})")
        lines += [f"    {hazard.hint}"] if hazard.hint else []
    if one.problem:
        lines += [f"  error: {one.problem}", f"  next: {accept_command(one)}"]
    return [*lines, ""] if len(lines) > 1 else lines


def summary(report: Report) -> str:
    """Return one line: how many migrations, by verdict, and how many need a word."""
    counts = dict.fromkeys(Verdict, 0)
    for one in report.migrations:
        counts[one.verdict] += 1
    parts = [f"{count} {verdict.value}" for verdict, count in counts.items() if count]
    total = len(report.migrations)
    line = f"{total} migration{'' if total == 1 else 's'}" + (f": {', '.join(parts)}" if parts else "")
    if report.unsettled:
        line += f"; {len(report.unsettled)} need{'s' if len(report.unsettled) == 1 else ''} a word"
    if report.assessment.faults:
        line += f"; {len(report.assessment.faults)} stale in {report.verdicts}"
    if report.forbidden:
        line += f"; {len(report.forbidden)} forbidden command{'' if len(report.forbidden) == 1 else 's'}"
    return line


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as one document."""
    return {
        "refused": report.refused,
        "kind": report.kind.value,
        "path": report.directory,
        "migrations": [_as_json(one) for one in report.migrations],
        "stale": [vars(fault) for fault in report.assessment.faults],
        "forbidden": [
            {"path": one.path, "line": one.line, "message": one.message, "hint": one.hint} for one in report.forbidden
        ],
    }


def _as_json(one: Assessed) -> dict[str, Any]:
    return {
        "id": one.source.id,
        "path": one.source.path,
        "digest": one.source.digest,
        "parents": list(one.source.parents),
        "verdict": one.verdict.value,
        "judged": one.judged.value,
        "accepted": one.accepted is not None,
        "words": one.words,
        "problem": one.problem,
        "statements": [{**vars(judgement), "verdict": judgement.verdict.value} for judgement in one.judgements],
        "hazards": [dict(vars(hazard)) for hazard in one.hazards],
    }
