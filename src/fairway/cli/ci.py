"""``fairway ci``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairway.ci.pipeline import Finished
    from fairway.ci.reporter import Reporter
    from fairway.ci.stages import Stage


def ci(
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Run this stage, without what it needs; can be repeated.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Run this stage and every one that depends on it.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, max=256, help="Stages at once; by default the processors.")
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast/--no-fail-fast", help="End everything at the first failure.")
    ] = False,
    summary: Annotated[
        Path | None, typer.Option("--summary", help="Write the summary, in Markdown, to this file, too.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show the stages in their order; run nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the stages of fairway.toml, alike on a laptop and in CI.

    Each stage starts when those it needs have passed, beside others where processors allow, and with
    its services from Compose, if it has some, healthy before and removed after. One whose need
    failed is skipped. The logs and the summary are kept in .fairway/ci.

    Ends with 1 when a stage failed, and with 130 when cancelled: by Ctrl-C, once for an orderly end,
    twice for an immediate one. Nothing that a stage started is left running either way.
    """
    from fairway.ci.pipeline import run_pipeline
    from fairway.ci.results import State
    from fairway.ci.stages import choose, stages_of
    from fairway.cli.output import print_json
    from fairway.config import load

    config = load()
    chosen = choose(stages_of(config.ci), only=only or (), start=start)
    if listed:
        _list(chosen, as_json=as_json)
        return
    finished = run_pipeline(
        config,
        chosen,
        _reporter(config.root, as_json=as_json),
        jobs=jobs,
        fail_fast=fail_fast,
        summaries=[summary] if summary else [],
    )
    if as_json:
        from fairway.ci.summary import as_json as document

        print_json(document(finished.results, finished.outcome, finished.seconds))
    else:
        _show(finished, config.root / config.ci.logs)
    if finished.outcome is State.CANCELLED:
        raise typer.Exit(130)
    if finished.outcome is State.FAILED:
        raise typer.Exit(1)


def _reporter(root: Path, *, as_json: bool) -> Reporter:
    from fairway.ci.showing import GitHub, OnTerminal, Plain, checkout_path
    from fairway.cli.output import stderr

    if os.environ.get("GITHUB_ACTIONS") == "true":
        # One stream with the table after it: the runner reads the two side by side.
        return GitHub(sys.stderr if as_json else sys.stdout, checkout_path(root))
    console = stderr()
    return OnTerminal(console) if console.is_terminal else Plain(sys.stderr)


def _list(stages: Sequence[Stage], *, as_json: bool) -> None:
    from fairway.cli.output import print_json, print_table

    if as_json:
        print_json(
            [
                {"stage": s.name, "needs": list(s.needs), "services": list(s.services), "timeout_s": s.timeout_s}
                for s in stages
            ]
        )
        return
    rows = [(s.name, ", ".join(s.needs), ", ".join(s.services), f"{s.timeout_s:g} s") for s in stages]
    print_table(("STAGE", "NEEDS", "SERVICES", "TIMEOUT"), rows)


def _show(finished: Finished, logs: Path) -> None:
    from fairway.cli.output import print_table

    rows = [
        (
            result.name,
            result.state.value,
            f"{result.seconds:.1f} s" if result.log else "",
            result.tests.in_words if result.tests and result.tests.total else "",
            "; ".join(part for part in (result.reason, *result.notes) if part),
        )
        for result in finished.results
    ]
    print_table(("STAGE", "RESULT", "TIME", "TESTS", ""), rows)
    typer.echo(f"{finished.outcome.value} in {finished.seconds:.1f} s; logs in {os.path.relpath(logs)}")
