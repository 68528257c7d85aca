"""``fairway rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def rollback(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    tag: Annotated[
        str | None, typer.Argument(help="The release to go back to; without one, the one that served before.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to a release that this host has served before.

    While the slot of that release is warm, this is a readiness check and a
    switch. Migrations are not undone: it is safe where they only expanded the schema.
    """
    from fairway.cli.context import open_engine, whoami
    from fairway.cli.deployment import conclude
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation
    from fairway.evidence.shipping import tag_on_host

    target = load().environment(environment)
    with open_engine(target) as engine, Progress() as progress:
        named = {"tag": tag_on_host(engine, tag)} if tag else {}
        result = engine.call(Operation.ROLLBACK, progress.event, by=whoami(), **named)
    conclude(
        result,
        what=f"{str(result.get('tag') or tag or 'the release')[:11]} on {environment}",
        as_json=as_json,
    )
