"""Comments in the code that let a finding pass: ``// fairway-ignore some-rule: the reason``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairway.guardrails.astgrep import Match

_COMMENT = re.compile(
    r"fairway-ignore\b[ \t]*(?P<rules>[a-z0-9-]+(?:[ \t]*,[ \t]*[a-z0-9-]+)*)?[ \t]*(?::[ \t]*(?P<reason>[^\n]*))?"
)


@dataclass(frozen=True)
class Suppression:
    """One comment: the rules it names, its reason (empty without one), and the line it speaks of."""

    path: str
    line: int
    column: int
    covers: int
    rules: tuple[str, ...]
    reason: str


def read(comments: Iterable[Match]) -> tuple[Suppression, ...]:
    """Read the comments that ast-grep found.

    One behind code speaks of its own line; one that stands alone, of the next line that is
    not such a comment.
    """
    comments = list(comments)
    alone = {(comment.path, comment.line) for comment in comments if _stands_alone(comment)}
    found = []
    for comment in comments:
        match = _COMMENT.search(comment.text)
        if match is None:
            continue
        covers = comment.line
        if _stands_alone(comment):
            covers += comment.text.count("\n") + 1
            while (comment.path, covers) in alone:
                covers += 1
        rules = tuple(rule.strip() for rule in (match["rules"] or "").split(",") if rule.strip())
        reason = (match["reason"] or "").removesuffix("*/").strip()
        found.append(Suppression(comment.path, comment.line, comment.column, covers, rules, reason))
    return tuple(found)


def _stands_alone(comment: Match) -> bool:
    return not comment.source[: comment.column - 1].strip(" \t{")


@dataclass(frozen=True)
class Applied:
    """What suppressions did: the matches they let through, and which of them did what."""

    left: tuple[Match, ...]
    suppressed: tuple[tuple[Match, Suppression], ...]
    unexplained: tuple[Suppression, ...]
    unused: Mapping[Suppression, tuple[str, ...]]


def apply(matches: Iterable[Match], suppressions: Iterable[Suppression]) -> Applied:
    """Take out the matches that a suppression with a reason speaks of.

    One without a reason, or without a rule, suppresses nothing.
    """
    suppressions = list(suppressions)
    explained = [one for one in suppressions if one.rules and one.reason]
    covering = {(one.path, one.covers, rule): one for one in explained for rule in one.rules}
    left: list[Match] = []
    suppressed: list[tuple[Match, Suppression]] = []
    for match in matches:
        by = covering.get((match.path, match.line, match.rule))
        if by is None:
            left.append(match)
        else:
            suppressed.append((match, by))
    used = {(by, match.rule) for match, by in suppressed}
    unused = {one: tuple(rule for rule in one.rules if (one, rule) not in used) for one in explained}
    return Applied(
        left=tuple(left),
        suppressed=tuple(suppressed),
        unexplained=tuple(one for one in suppressions if not (one.rules and one.reason)),
        unused={one: rules for one, rules in unused.items() if rules},
    )
