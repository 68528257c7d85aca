"""A check: which of the rules' matches are findings, and what else there is to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fairway.config import Config
from fairway.findings import Finding, RuleText, Severity
from fairway.guardrails import baseline, files, reading, rules, suppressions
from fairway.guardrails.astgrep import Match, Scan
from fairway.guardrails.baseline import Entry
from fairway.guardrails.rules import Rule, Ruleset
from fairway.guardrails.suppressions import Suppression
from fairway.migrations.commands import RULE

FORBIDDEN = RULE.id
_REFUSED = (Severity.ERROR, Severity.WARNING)
_UNREAD = {
    "invalidUtf8": "it is not UTF-8 text",
    "fileTooLarge": "it is too large for ast-grep",
}


@dataclass(frozen=True)
class Found:
    """A finding with its code: ``text`` is what matched, ``source`` the line it begins in."""

    finding: Finding
    text: str
    source: str = ""

    @property
    def rule(self) -> str:
        return self.finding.rule

    @property
    def path(self) -> str:
        return self.finding.path


@dataclass(frozen=True)
class Report:
    """What a check found. ``found`` is new; ``known`` stands in the baseline; ``stale`` only there.

    ``files`` counts those that at least one rule looked at.
    """

    found: tuple[Found, ...]
    known: tuple[Found, ...]
    stale: tuple[Entry, ...]
    suppressed: tuple[tuple[Match, Suppression], ...]
    files: int
    rules: tuple[Rule, ...]

    @property
    def refused(self) -> bool:
        """Whether there is a new error or warning; a note is only told."""
        return any(found.finding.severity in _REFUSED for found in self.found)

    @property
    def shown(self) -> tuple[Found, ...]:
        """The new findings for a reader: of each rule the first of a line, as one mistake often matches twice."""
        kept: dict[tuple[str, str, int, str], Found] = {}
        for one in self.found:
            of_line = "" if one.finding.line else one.text  # what is of no line is not a line's second
            kept.setdefault((one.path, one.rule, one.finding.line, of_line), one)
        return tuple(kept.values())

    @property
    def texts(self) -> tuple[RuleText, ...]:
        """What is said of every rule that a finding may name."""
        return (*(rule.text for rule in self.rules), *rules.BUILT_IN)


def check(
    config: Config, ruleset: Ruleset, tracked: Sequence[str], paths: Sequence[Path], known: Iterable[Entry]
) -> Report:
    """Run the rules on the tracked files, or on those of them that ``paths`` name."""
    root = config.root
    looked_at = files.chosen(root, tracked, paths) if paths else tuple(tracked)
    scan = reading.scan(config, ruleset, looked_at)
    applied = suppressions.apply(scan.matches, suppressions.read(scan.comments))
    by_id = {rule.id: rule for rule in ruleset.rules}
    found = [_of_rule(match, by_id[match.rule]) for match in applied.left]
    found += _of_files(root, scan, _guarded(root, ruleset, scan.unread))
    found += _of_suppressions(applied, by_id)
    if not paths:
        found += [_idle(rule) for rule in ruleset.rules if _is_idle(root, rule)]
    found.sort(key=lambda one: (one.path, one.finding.line, one.finding.column, one.rule))
    compared = baseline.compare(found, known, looked_at if paths else None)
    return Report(
        found=compared.new,
        known=compared.known,
        stale=compared.stale,
        suppressed=applied.suppressed,
        files=len(scan.read),
        rules=ruleset.rules,
    )


def _of_rule(match: Match, rule: Rule) -> Found:
    mark = baseline.fingerprint(match.rule, match.path, match.text)
    message = f"{rule.message}: {match.detail}" if match.detail else rule.message
    finding = Finding(match.path, match.line, match.column, rule.id, rule.severity, message, rule.fix, fingerprint=mark)
    return Found(finding, match.text, match.source)


def _guarded(root: Path, ruleset: Ruleset, unread: Mapping[str, str]) -> dict[str, str]:
    """Return of the unread files those that a rule would have been run on."""
    checked = {path for rule in ruleset.rules if rule.check for path in files.guarded(root, rule.files)}
    kept = {}
    for path, reason in unread.items():
        suffix = PurePosixPath(path).suffix
        rules_of = [rule for rule in ruleset.rules if any(suffix in one.suffixes for one in rule.languages)]
        looked_for = [rule for rule in rules_of if not rule.files or path in files.guarded(root, rule.files)]
        if any(path not in files.guarded(root, rule.ignores) for rule in looked_for) or path in checked:
            kept[path] = reason
    return kept


def _of_files(root: Path, scan: Scan, unread: Mapping[str, str]) -> list[Found]:
    """Say which guarded files no rule can clear: unreadable, unparsable, or silenced for ast-grep."""
    found = []
    broken: dict[str, Match] = {}
    for match in scan.syntax:
        broken.setdefault(match.path, match)
    for match in broken.values():
        message = "the syntax is not understood from here on, so no rule can clear this file"
        finding = _own(rules.SYNTAX, match.path, match.line, match.column, message, "mend it, or exclude the file")
        found.append(Found(finding, "", match.source))
    for path, reason in unread.items():
        message = f"no rule can clear this file: {_UNREAD.get(reason, f'ast-grep skips it ({reason})')}"
        found.append(
            Found(_own(rules.UNREAD, path, 0, 0, message, "exclude it under [guardrails] in fairway.toml"), "")
        )
    for path in scan.read:
        for number, line in enumerate((root / path).read_text(encoding="utf-8").split("\n"), start=1):
            if "ast-grep-ignore" in line:
                message = "ast-grep-ignore silences rules here without a reason"
                hint = "use fairway-ignore <rule>: <reason>"
                column = line.index("ast-grep-ignore") + 1
                found.append(Found(_own(rules.FOREIGN, path, number, column, message, hint), line, line))
    return found


def _of_suppressions(applied: suppressions.Applied, by_id: dict[str, Rule]) -> list[Found]:
    found = []
    for one in applied.unexplained:
        message = "this suppression gives no reason, and suppresses nothing"
        hint = "write it as fairway-ignore <rule>: <reason>"
        found.append(_comment(rules.UNEXPLAINED, one, message, hint, " ".join(one.rules)))
    for one, names in applied.unused.items():
        for name in names:
            if name == FORBIDDEN and name not in by_id:
                continue  # a release is held against it, whether or not it is a guardrail here
            why = "there is nothing to suppress on its line" if name in by_id else "there is no such rule"
            found.append(_comment(rules.UNUSED, one, f"{name} is suppressed in vain: {why}", "take it out", name))
    return found


def _comment(rule: str, at: Suppression, message: str, hint: str, text: str) -> Found:
    return Found(_own(rule, at.path, at.line, at.column, message, hint), text)


def _is_idle(root: Path, rule: Rule) -> bool:
    return bool(rule.files) and not rule.optional and not files.guarded(root, rule.files)


def _idle(rule: Rule) -> Found:
    message = f"{rule.id} guards {', '.join(rule.files)}, and Git tracks no such file"
    hint = "when the file has moved, take a copy of the rule with its new name; see docs/how-to/guardrails.md"
    return Found(_own(rules.IDLE, "fairway.toml", 0, 0, message, hint), rule.id)


def _own(rule: str, path: str, line: int, column: int, message: str, hint: str) -> Finding:
    finding = Finding(path, line, column, rule, Severity.ERROR, message, hint)
    return replace(finding, fingerprint=baseline.fingerprint(rule, path, message))
