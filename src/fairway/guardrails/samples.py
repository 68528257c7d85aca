"""Hold each rule against its own samples: what it must catch, and what it must let pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairway.guardrails.astgrep import run_rule
from fairway.guardrails.rules import Rule, Ruleset


@dataclass(frozen=True)
class Verdict:
    """How a rule did: samples it ``missed``, fired on ``wrongly``, or that do not parse."""

    rule: Rule
    missed: tuple[str, ...]
    wrongly: tuple[str, ...]
    unparsed: tuple[str, ...]

    @property
    def lacking(self) -> str:
        """What kind of samples the rule has none of; empty when it has both."""
        kinds = {"invalid": self.rule.samples.invalid, "valid": self.rule.samples.valid}
        return " and ".join(kind for kind, samples in kinds.items() if not samples)

    @property
    def ok(self) -> bool:
        """Whether the rule does what its samples say, and has samples of both kinds."""
        return not (self.missed or self.wrongly or self.unparsed or self.lacking)


def try_rules(ruleset: Ruleset, names: Iterable[str] = ()) -> tuple[Verdict, ...]:
    """Try the rules, or those named, on their samples. Raises ``Invalid`` for an unknown name."""
    wanted = [ruleset.rule(name) for name in names] or ruleset.rules
    return tuple(_try(rule, ruleset) for rule in wanted)


def _try(rule: Rule, ruleset: Ruleset) -> Verdict:
    invalid, valid = rule.samples.invalid, rule.samples.valid
    codes = (*invalid, *valid)
    hits, broken = run_rule(rule, ruleset.utilities, codes)
    return Verdict(
        rule=rule,
        missed=tuple(code for code, hit in zip(invalid, hits, strict=False) if not hit),
        wrongly=tuple(code for code, hit in zip(valid, hits[len(invalid) :], strict=True) if hit),
        unparsed=tuple(code for code, wrong in zip(codes, broken, strict=True) if wrong),
    )
