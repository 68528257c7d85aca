"""Hold each rule against its own samples: what it must catch, and what it must let pass."""

from __future__ import annotations

import re
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fairway.config import Config, load
from fairway.engine.contract.errors import Invalid
from fairway.guardrails.astgrep import run_rule
from fairway.guardrails.reading import excuse, run_checker
from fairway.guardrails.rules import Rule, Ruleset

_FILE = re.compile(r"^=== (?P<name>\S+)$", re.MULTILINE)
_CONFIG = """
project = "sample"
[images]
app = "ghcr.io/acme/sample-app"
migrator = "ghcr.io/acme/sample-migrator"
"""


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
    with tempfile.TemporaryDirectory(prefix="fairway-samples-") as name:
        config = _configuration(rule, Path(name))
        if rule.check:
            hits, broken = [len(run_checker(rule, files_of(code), config)) for code in codes], [0] * len(codes)
        else:
            hits, broken = run_rule(rule, ruleset.utilities, codes, excuse(config, [rule]))
    return Verdict(
        rule=rule,
        missed=tuple(code for code, hit in zip(invalid, hits, strict=False) if not hit),
        wrongly=tuple(code for code, hit in zip(valid, hits[len(invalid) :], strict=True) if hit),
        unparsed=tuple(code for code, wrong in zip(codes, broken, strict=True) if wrong),
    )


def _configuration(rule: Rule, directory: Path) -> Config:
    """Return the configuration that samples are held against: by itself, without a file that it names."""
    try:
        tomllib.loads(rule.samples.config)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"the samples of {rule.id} have a config that is not TOML", why=str(error)) from None
    file = directory / "fairway.toml"
    file.write_text(_CONFIG + rule.samples.config, encoding="utf-8")
    return load(file, {})


def files_of(sample: str) -> dict[str, str]:
    """Take a checker's sample apart into its files, each of which begins with ``=== its/name``.

    >>> files_of("=== Dockerfile\\nFROM a:1\\n=== b.sh\\nls\\n")
    {'Dockerfile': 'FROM a:1\\n', 'b.sh': 'ls\\n'}
    """
    parts = _FILE.split(sample)
    if len(parts) < 3 or parts[0].strip():
        raise Invalid("a checker's sample must begin with the name of its file", why=sample[:80], hint="=== Dockerfile")
    return {name: text.removeprefix("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}
