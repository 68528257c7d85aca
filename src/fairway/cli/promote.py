"""``fairway promote``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import ForceOption, JsonOption, PlanOption, ReasonOption, RecreateOption, WaitOption


def promote(
    tag: Annotated[str, typer.Argument(help="The release: sha-<commit>, or enough of it to be the only one.")],
    to: Annotated[
        str | None, typer.Option("--to", help="The environment to promote to; without it, the one with promote_from.")
    ] = None,
    recreate: RecreateOption = None,
    wait_s: WaitOption = 0.0,
    force: ForceOption = False,
    reason: ReasonOption = "",
    planning: PlanOption = False,
    as_json: JsonOption = False,
) -> None:
    """Deploy to production exactly what the environment before it has run.

    What was said of the release is collected, in the archive and from that
    environment's host, and goes with it. The host that is to run it decides by its own
    policy, and refuses with what is missing; [bold]fairway gate[/bold] shows it beforehand.
    What it signs when it serves is archived.
    """
    from fairway.cli.deployment import Options, forced, ship
    from fairway.config import load

    config = load()
    target = config.environment(config.promotion(to).target)
    ship(config, target, tag, Options(planning, wait_s, tuple(recreate or ()), forced(force, reason)), as_json=as_json)
