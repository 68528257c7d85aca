"""A rule in words, for whoever has met it."""

from __future__ import annotations

from fairway.guardrails.rules import Rule


def explanation(rule: Rule) -> str:
    """Say what a rule finds, why it is there, an example of each kind, and how to write it instead."""
    parts = [f"{rule.id} ({rule.severity.value}, {rule.language}, {rule.origin})\n{rule.message}"]
    if rule.files:
        parts.append(f"where: {', '.join(rule.files)}")
    parts.append(f"why: {rule.why}")
    for title, samples in (("not this", rule.samples.invalid), ("but this", rule.samples.valid)):
        if samples:
            parts.append(f"{title}:\n{_indented(samples[0])}")
    parts.append(f"how: {rule.fix}")
    parts.append(f"where it must stand all the same: a comment, fairway-ignore {rule.id}: <the reason>")
    return "\n\n".join(parts)


def _indented(code: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in code.rstrip().splitlines())
