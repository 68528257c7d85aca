"""``fairway reconcile``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption, PlanOption, WaitOption


def reconcile(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    wait_s: WaitOption = 0.0,
    planning: PlanOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make what runs on a host agree with what is recorded there.

    Shows what differs and the plan, asks, then brings back the recorded release, its
    settings, the edge, the workers, the services that are down and the files. What
    is as recorded is not touched. Exits with 3 when the answer is no.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.deployment import Options, conclude, conduct
    from fairway.cli.output import ask
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.errors import Refused
    from fairway.engine.contract.protocol import Operation

    config = load()
    target = config.environment(environment)
    what = f"what is recorded on {environment}"
    with open_engine(target) as engine:
        with Progress() as progress:
            plan = conduct(config, target, engine, progress, Operation.RECONCILE, Options(planning=True))
        if planning or plan["unchanged"]:
            conclude(plan, what=what, as_json=as_json)
            return
        if not as_json:
            conclude(plan, what=what, as_json=False)
        if not yes and not ask(f"Bring {environment} back to what is recorded?"):
            raise Refused("nothing was changed", hint="with --yes there is no question")
        with Progress() as progress:
            result = conduct(config, target, engine, progress, Operation.RECONCILE, Options(wait_s=wait_s))
    conclude(result, what=f"{str(result.get('tag'))[:11]} on {environment}", as_json=as_json)
