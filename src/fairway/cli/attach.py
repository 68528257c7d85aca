"""``fairway attach``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def attach(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    deployment: Annotated[str | None, typer.Argument(help="A deployment's id; without one, the newest.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a deployment that was started elsewhere, from its beginning to its end."""
    from fairway.cli.context import open_engine
    from fairway.cli.deployment import conclude, follow
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    config = load()
    target = config.environment(environment)
    with open_engine(target) as engine, Progress() as progress:
        named = {"deployment": deployment} if deployment else {}
        result = follow(config, target, engine, progress, Operation.FOLLOW, **named)
    conclude(result, what=f"{str(result.get('tag'))[:11]} on {environment}", as_json=as_json)
