"""``fairway lock`` and ``fairway unlock``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption, WaitOption


def lock(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; shown to all who are refused.", show_default=False)],
    wait_s: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Let nothing change what serves on an environment, until somebody unlocks it.

    The lock is held by name on the host, over reboots: deployments, rollbacks and
    restarts end with 4 and show who holds it and why. Exits with 4 when somebody has
    locked it already, or a deployment is running.
    """
    from fairway.cli.context import open_engine, whoami
    from fairway.cli.output import print_json
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation
    from fairway.evidence.decision import reason_line

    line = reason_line(reason)
    with open_engine(load().environment(environment)) as engine, Progress() as progress:
        result = engine.call(Operation.LOCK, progress.event, by=whoami(), reason=line, wait_s=wait_s)
    if as_json:
        print_json(result)
    else:
        print(f"{environment} is locked by {result['locked']['by']}: {result['locked']['reason']}")


def unlock(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    wait_s: WaitOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Take an environment's lock away, whoever holds it; the record says who did."""
    from fairway.cli.context import open_engine, whoami
    from fairway.cli.output import print_json
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    with open_engine(load().environment(environment)) as engine, Progress() as progress:
        result = engine.call(Operation.UNLOCK, progress.event, by=whoami(), wait_s=wait_s)
    held = result["was_locked"]
    if as_json:
        print_json(result)
    elif held:
        print(f"{environment} is unlocked; it was locked by {held['by']}: {held['reason']}")
    else:
        print(f"{environment} was not locked")
