"""``fairway restart``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption, PlanOption, WaitOption


def restart(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    wait_s: WaitOption = 0.0,
    planning: PlanOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start the release that serves again with the settings of now, without dropping a request.

    For a rotated secret: change .env.production on the host, then restart. The same
    release starts in the other slot, is found ready and takes the traffic; nothing
    is built, pulled or migrated.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.deployment import Options, conclude, conduct
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    config = load()
    target = config.environment(environment)
    with open_engine(target) as engine, Progress() as progress:
        result = conduct(config, target, engine, progress, Operation.RESTART, Options(planning, wait_s))
    conclude(result, what=f"{str(result.get('tag'))[:11]} on {environment}", as_json=as_json)
