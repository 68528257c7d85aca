"""``fairway deploy``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import ForceOption, JsonOption, PlanOption, ReasonOption, RecreateOption, WaitOption


def deploy(
    environment: Annotated[str, typer.Argument(help="Where to, as named in fairway.toml.")],
    tag: Annotated[str, typer.Argument(help="The release: sha-<commit>, or enough of it to be the only one.")],
    recreate: RecreateOption = None,
    wait_s: WaitOption = 0.0,
    force: ForceOption = False,
    reason: ReasonOption = "",
    planning: PlanOption = False,
    as_json: JsonOption = False,
) -> None:
    """Deploy a release to an environment.

    Nothing a visitor can see changes before the new containers are ready. A
    deployment that fails, or is cancelled with Ctrl-C, is undone and the old release
    goes on serving. An environment with promote_from takes releases by
    [bold]fairway promote[/bold] only.
    """
    from fairway.cli.deployment import Options, forced, ship
    from fairway.config import load
    from fairway.evidence.shipping import refuse_unpromoted

    config = load()
    target = config.environment(environment)
    refuse_unpromoted(target)
    ship(config, target, tag, Options(planning, wait_s, tuple(recreate or ()), forced(force, reason)), as_json=as_json)
