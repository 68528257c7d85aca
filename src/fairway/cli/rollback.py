"""``fairway rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import ForceOption, JsonOption, PlanOption, ReasonOption, WaitOption


def rollback(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    tag: Annotated[
        str | None, typer.Argument(help="The release to go back to; without one, the one that served before.")
    ] = None,
    wait_s: WaitOption = 0.0,
    force: ForceOption = False,
    reason: ReasonOption = "",
    planning: PlanOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go back to a release that this host has served before.

    While the slot of that release is warm, this is a readiness check and a
    switch. Migrations are not undone, so the host first checks that everything that is
    applied and that the release does not ship only expanded the schema; otherwise it
    refuses, with the migrations. --plan says it for each release that served here.
    --force with --reason goes on all the same, and both are on the record.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.deployment import Options, conclude, conduct, forced
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation
    from fairway.evidence.shipping import tag_on_host

    config = load()
    target = config.environment(environment)
    with open_engine(target) as engine, Progress() as progress:
        named = {"tag": tag_on_host(engine, tag)} if tag else {}
        options = Options(planning, wait_s, forced=forced(force, reason))
        result = conduct(config, target, engine, progress, Operation.ROLLBACK, options, **named)
    conclude(
        result,
        what=f"{str(result.get('tag') or tag or 'the release')[:11]} on {environment}",
        as_json=as_json,
    )
