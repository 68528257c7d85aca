"""Run rules of both kinds, ast-grep's and Fairway's own checkers, and bring what they found together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fairway.config import Config
from fairway.guardrails import astgrep, files
from fairway.guardrails.astgrep import Match, Scan
from fairway.guardrails.checkers import CHECKERS, EXCUSES
from fairway.guardrails.rules import Rule, Ruleset

_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*\bfairway-ignore\b.*$", re.MULTILINE)


def scan(config: Config, ruleset: Ruleset, looked_at: Sequence[str]) -> Scan:
    """Run the rules on files, named relative to the configuration's directory."""
    found = astgrep.scan(config.root, ruleset, _parsed(config.root, ruleset, looked_at))
    excused = excuse(config, ruleset.rules)
    by_fairway = {rule.id for rule in ruleset.rules if rule.unless}
    matches = [_naming(match) if match.rule in by_fairway else match for match in found.matches if not excused(match)]
    comments = list(found.comments)
    read, unread = set(found.read), dict(found.unread)
    for rule in ruleset.rules:
        if not rule.check:
            continue
        texts = {}
        for path in _guarded_by(config.root, rule, looked_at):
            try:
                texts[path] = (config.root / path).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                unread[path] = "invalidUtf8"
        matches += run_checker(rule, texts, config)
        comments += [comment for path, text in texts.items() for comment in _comments(path, text)]
        read.update(texts)
    matches.sort(key=lambda match: (match.path, match.line, match.column, match.rule))
    once = {(one.path, one.line, one.column): one for one in comments}
    return replace(
        found, matches=tuple(matches), comments=tuple(once.values()), read=tuple(sorted(read)), unread=unread
    )


def _parsed(root: Path, ruleset: Ruleset, looked_at: Sequence[str]) -> Sequence[str]:
    """Return the files that ast-grep has to look at: it would parse the others to run no rule on them."""
    of_code = [rule for rule in ruleset.rules if not rule.check]
    if not all(rule.files for rule in of_code):
        return looked_at
    guarded = files.guarded(root, [glob for rule in of_code for glob in rule.files])
    return [path for path in looked_at if path in guarded]


def _naming(match: Match) -> Match:
    """Have a match say what it is that nothing excuses: its text is a name, and not yet a finding by itself."""
    return replace(match, detail=match.text.strip("\"'`"))


def excuse(config: Config, rules: Sequence[Rule]) -> Callable[[Match], bool]:
    """Return what says of a match whether its rule's ``unless`` lets it pass."""
    checks = {rule.id: EXCUSES[rule.unless](config, rule.allow) for rule in rules if rule.unless}
    return lambda match: match.rule in checks and checks[match.rule](match.text)


def run_checker(rule: Rule, texts: Mapping[str, str], config: Config) -> list[Match]:
    """Run a rule's checker on the texts of files."""
    found = []
    for hit in CHECKERS[rule.check](texts, config, rule.allow):
        lines = texts[hit.path].split("\n")
        source = lines[hit.line - 1] if hit.line <= len(lines) else ""
        column = len(source) - len(source.lstrip()) + 1
        found.append(Match(rule.id, hit.path, hit.line, column, hit.text, source, hit.detail))
    return found


def _guarded_by(root: Path, rule: Rule, looked_at: Sequence[str]) -> list[str]:
    kept = files.guarded(root, rule.files) - files.guarded(root, rule.ignores)
    return [path for path in looked_at if path in kept]


def _comments(path: str, text: str) -> Iterator[Match]:
    """Yield the comments that speak of suppressing; what checkers read has them behind a ``#``, or has none."""
    for found in _COMMENT.finditer(text):
        start = text.rfind("\n", 0, found.start()) + 1
        line = text.count("\n", 0, found.start()) + 1
        source = text[start:].split("\n", 1)[0]
        yield Match("", path, line, found.start() - start + 1, found.group(), source)
