"""Write the recovery table of ``docs/explanation/recovery.md`` from the table of steps: ``make docs``."""

from __future__ import annotations

import sys

from fairway.engine.steps import STEPS
from fairway.engine.steps.base import Direction
from scripts.tables import PAGES, rewrite

PAGE = PAGES / "explanation" / "recovery.md"
_WORDS = {
    Direction.UNDO: "undoes",
    Direction.ASK_EDGE: "asks the edge",
    Direction.FINISH: "finishes",
}


def render() -> str:
    """Return the table, a row for each step in order."""
    rows = [
        f"| {step.name} | {step.recovery.finds} | **{_WORDS[step.recovery.direction]}**: {step.recovery.does} |"
        for step in STEPS
    ]
    return "\n".join(["| lost in | a restart finds | and |", "| --- | --- | --- |", *rows])


def main() -> int:
    """Rewrite the page."""
    rewrite(PAGE, render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
