"""A new rule to begin from, with samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fairway.engine.contract.errors import Invalid
from fairway.guardrails.choices import Template
from fairway.guardrails.rules import RULE_ID


@dataclass(frozen=True)
class _Example:
    name: str
    pattern: str
    invalid: str
    valid: str


_EXAMPLES = {
    Template.TS: _Example("TypeScript", "console.log($$$)", 'console.log("hello");', 'logger.info("hello");'),
    Template.PYTHON: _Example("Python", "print($$$)", 'print("hello")', 'logger.info("hello")'),
}

_RULE = """\
# yaml-language-server: $schema=https://raw.githubusercontent.com/ast-grep/ast-grep/main/schemas/rule.json
# How to write rules: https://ast-grep.github.io/guide/rule-config.html
id: {id}
language: {language}
severity: error            # error and warning refuse, info and hint are only told
# files: ["packages/api/**"]
message: say in one line what was found
note: |
  Say how to write it instead.
metadata:
  why: |
    Say what goes wrong without this rule.
rule:
  pattern: {pattern}
"""
_SAMPLES = """\
# What the rule must catch, and what it must let pass: fairway guardrails test {id}
id: {id}
invalid:
  - |
    {invalid}
valid:
  - |
    {valid}
"""


def write_rule(root: Path, directory: str, name: str, language: Template) -> tuple[str, str]:
    """Write the files of a new rule; return their names. Raises ``Invalid`` rather than overwrite one."""
    if not RULE_ID.fullmatch(name):
        raise Invalid(f"{name[:80]!r} is not a rule's id", hint="lower-case letters, digits and '-'")
    example = _EXAMPLES[language]
    values = {
        "id": name,
        "language": example.name,
        "pattern": example.pattern,
        "invalid": example.invalid,
        "valid": example.valid,
    }
    made = {f"{directory}/{name}.yml": _RULE, f"{directory}/tests/{name}-test.yml": _SAMPLES}
    for file in made:
        if (root / file).exists():
            raise Invalid(f"{file} is there already", hint="choose another id, or edit it")
    for file, template in made.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(template.format_map(values), encoding="utf-8")
    rule, samples = made
    return rule, samples
