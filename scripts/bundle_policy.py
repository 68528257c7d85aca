"""Write the table of ``docs/reference/bundle-policy.md`` from the rules themselves: ``make docs``."""

from __future__ import annotations

import sys

from fairway.engine.gate.rules import RULES
from scripts.tables import PAGES, rewrite

PAGE = PAGES / "reference" / "bundle-policy.md"


def render() -> str:
    """Return the table, a row for each rule in order."""
    rows = []
    for rule in RULES:
        name = f"`{rule.name}:{rule.form}`" if rule.allowable else "none"
        rows.append(f"| {rule.refused} | {rule.because} | {name} |")
    return "\n".join(["| refused | because | allowed by |", "| --- | --- | --- |", *rows])


def main() -> int:
    """Rewrite the page."""
    rewrite(PAGE, render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
