"""What holds for each migration: what was found of it, and what a person has said."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fairway.engine.contract.manifest import Migration, Verdict
from fairway.migrations.acceptance import MAX_REASON, Accepted
from fairway.migrations.hazards import Hazard
from fairway.migrations.judgement import Judgement, worst
from fairway.migrations.sources.source import Source

_NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f]+")
_NEEDS = {
    Verdict.REVIEW: "whether the previous release runs on the schema after it cannot be told; a person has to say",
    Verdict.CONTRACT: "the previous release does not run on the schema after it; that needs an explicit word",
}


@dataclass(frozen=True)
class Assessed:
    """One migration with its judgements, and the word on it, if there is one for exactly these bytes."""

    source: Source
    judgements: tuple[Judgement, ...]
    hazards: tuple[Hazard, ...]
    accepted: Accepted | None = None

    @property
    def judged(self) -> Verdict:
        """What was found."""
        return worst(one.verdict for one in self.judgements)

    @property
    def verdict(self) -> Verdict:
        """What holds. A word can settle a review, and make any verdict graver; it never makes a contract less."""
        if self.accepted is None or self.judged is Verdict.CONTRACT:
            return self.judged
        return self.accepted.verdict

    @property
    def problem(self) -> str:
        """Why it cannot be released as it is; empty when it can."""
        if self.source.again and self.verdict is Verdict.CONTRACT:
            return "what is applied again and again cannot be a contract: no host could tell what to go back behind"
        if self.accepted is None:
            return _NEEDS.get(self.judged, "")
        if self.judged is Verdict.CONTRACT and self.accepted.verdict is not Verdict.CONTRACT:
            return "it cannot be accepted as an expansion"
        return ""

    @property
    def replaces(self) -> tuple[str, ...]:
        """Those that it stands for: its file says so, or a person."""
        said = self.accepted.replaces if self.accepted is not None else ()
        return tuple(dict.fromkeys((*self.source.replaces, *said)))

    @property
    def words(self) -> str:
        """Why the verdict is what it is: a person's reason, or what weighed most; empty when all is well."""
        if self.accepted is not None:
            return self.accepted.reason
        grave = [one for one in self.judgements if one.verdict is self.judged is not Verdict.EXPAND]
        text = "; ".join(dict.fromkeys(f"line {one.line}: {one.reason}" for one in grave))
        return _NOT_PRINTED.sub(" ", text)[:MAX_REASON].strip()

    def as_migration(self) -> Migration:
        """Return it as a release names it."""
        source = self.source
        return Migration(source.id, source.digest, self.verdict, self.judged, self.words, source.parents, self.replaces)


@dataclass(frozen=True)
class Fault:
    """An entry of ``verdicts.toml`` that holds for nothing."""

    line: int
    message: str
    hint: str


@dataclass(frozen=True)
class Assessment:
    """All migrations, in the order they are applied, and what is wrong with the words on them."""

    migrations: tuple[Assessed, ...]
    faults: tuple[Fault, ...]

    @property
    def ready(self) -> bool:
        """Whether a release may ship them."""
        return not self.faults and not any(one.problem for one in self.migrations)


def assess(sources: Iterable[Source], accepted: Sequence[Accepted]) -> Assessment:
    """Judge migrations and put the words on them beside it."""
    words = {one.migration: one for one in accepted}
    assessed = []
    for source in sources:
        word = words.get(source.id)
        holds = word is not None and word.digest == source.digest
        assessed.append(Assessed(source, source.judgements(), source.hazards(), word if holds else None))
    known = {one.source.id: one for one in assessed}
    return Assessment(tuple(assessed), tuple(fault for word in accepted if (fault := _fault(word, known)) is not None))


def _fault(word: Accepted, known: dict[str, Assessed]) -> Fault | None:
    one = known.get(word.migration)
    if one is None:
        return Fault(word.line, f"there is no migration {word.migration[:100]!r}", "take the entry out")
    again = f'fairway migrations accept {word.migration} --as {word.verdict.value} --reason "..."'
    if one.accepted is None:
        return Fault(
            word.line,
            f"{word.migration} was edited since this was said of it",
            f"look at it again, then take the entry out, or: {again}",
        )
    present = [name for name in word.replaces if name in known]
    if present:
        return Fault(
            word.line,
            f"{word.migration} is said to stand for {present[0]}, which is there",
            "name only those that are gone: a new database would have both applied",
        )
    if one.judged is Verdict.CONTRACT and word.verdict is not Verdict.CONTRACT:
        return Fault(
            word.line,
            f"{word.migration} is a contract and cannot be accepted as an expansion",
            f'say that it is one: fairway migrations accept {word.migration} --as contract --reason "..."',
        )
    return None
