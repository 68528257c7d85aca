"""``fairway cancel``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def cancel(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    as_json: JsonOption = False,
) -> None:
    """Cancel the deployment that is running on a host, whoever started it: it is reverted.

    Once the new release serves for good (from the drain on) it is too late; the
    deployment then ends as it would have. Exits with 130 when it was cancelled.
    """
    from fairway.cli.context import open_engine, whoami
    from fairway.cli.deployment import conclude, follow
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.errors import Refused
    from fairway.engine.contract.protocol import Operation, Outcome

    config = load()
    target = config.environment(environment)
    with open_engine(target) as engine, Progress() as progress:
        result = follow(config, target, engine, progress, Operation.CANCEL, by=whoami())
    if result.get("outcome") == Outcome.UNCHANGED.value:
        raise Refused(f"no deployment is running on {environment}", hint=f"fairway history {environment}")
    conclude(result, what=f"{str(result.get('tag'))[:11]} on {environment}", as_json=as_json)
