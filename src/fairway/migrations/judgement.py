"""What is found of one statement of a migration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairway.engine.contract.manifest import Verdict

#: From what needs nobody to what cannot be gone back from.
GRAVITY = (Verdict.EXPAND, Verdict.REVIEW, Verdict.CONTRACT)


@dataclass(frozen=True)
class Judgement:
    """The verdict on one statement, with its grounds.

    ``statement`` is its beginning, in one line; ``line`` is where it starts, counted from 1 in the
    given text. ``rule`` is the stable name of what decided. ``safe_way`` says how the same is
    reached without stopping the previous release; empty when the statement is safe as it is.
    """

    verdict: Verdict
    line: int
    statement: str
    rule: str
    reason: str
    safe_way: str


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the gravest of the verdicts: contract, then review; expand when there is none.

    >>> worst([Verdict.EXPAND, Verdict.REVIEW])
    <Verdict.REVIEW: 'review'>
    """
    return max(verdicts, key=GRAVITY.index, default=Verdict.EXPAND)
