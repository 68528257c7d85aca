"""Write the tables of ``docs/explanation/verdicts.md``: ``make docs``.

With ``--derive``, which needs Docker, what is committed of a live PostgreSQL's answers is made anew
first: ``scripts/with-docker.sh .venv/bin/python -m scripts.verdicts --derive``.
"""

from __future__ import annotations

import sys
from collections import Counter

from fairway.engine.contract.manifest import Verdict
from fairway.migrations import judge_sql, worst
from fairway.migrations.rules import RULES
from scripts.tables import PAGES, rewrite
from tests.corpus.cases import Case, load, load_truth, save_truth

PAGE = PAGES / "explanation" / "verdicts.md"


def judged(case: Case) -> Verdict:
    """Return the verdict on a case's migration."""
    return worst(one.verdict for one in judge_sql(case.sql))


def render() -> str:
    """Return the confusion table, the limits and the rules."""
    truth = load_truth()
    cases = load()
    counts = Counter((judged(case), truth[case.name].runs_on) for case in cases if not case.limit)
    total = sum(counts.values())
    rows = [f"| {one.name} | {counts[one, True]} | {counts[one, False]} |" for one in Verdict]
    limits = [
        f"| it {case.limit} | `{_cell(case.sql)}` | {_cell(truth[case.name].why)} |" for case in cases if case.limit
    ]
    rules = [f"| `{rule.id}` | {rule.verdict.name} | {rule.reason} | {rule.safe_way} |" for rule in RULES]
    return "\n".join(
        [
            f"Of {total} migrations:",
            "",
            "| judged | the previous release runs on | it breaks |",
            "| --- | ---: | ---: |",
            *rows,
            "",
            "## What is taken for granted of the previous release",
            "",
            "| of the previous release | what is EXPAND all the same | and what breaks when it is not so |",
            "| --- | --- | --- |",
            *limits,
            "",
            "## The rules",
            "",
            "| rule | verdict | because | safe way |",
            "| --- | --- | --- | --- |",
            *rules,
        ]
    )


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def main() -> int:
    """Rewrite the page, and with ``--derive`` the truth before it."""
    if "--derive" in sys.argv[1:]:
        from tests.corpus.deriving import derive, server  # it needs Docker, and psycopg

        with server() as where:
            save_truth(derive(where, load()))
    rewrite(PAGE, render())
    return 0


if __name__ == "__main__":
    sys.exit(main())
