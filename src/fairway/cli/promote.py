"""``fairway promote``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def promote(
    tag: Annotated[str, typer.Argument(help="The release: sha-<commit>, or enough of it to be the only one.")],
    to: Annotated[
        str | None, typer.Option("--to", help="The environment to promote to; without it, the one with promote_from.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Deploy to production exactly what the environment before it has run.

    The host of that environment is asked whether it has run this very release,
    by digest, with success; if not, the promotion is refused with what is missing.
    """
    from fairway.cli.context import open_archive, open_engine, whoami
    from fairway.cli.deployment import conclude
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.evidence.shipping import prove, ship

    config = load()
    promotion = config.promotion(to)
    source, target = config.environment(promotion.source), config.environment(promotion.target)
    with open_engine(target) as engine, open_engine(source) as proving, Progress() as progress:
        archive = open_archive(config)
        released = archive.get(archive.resolve(tag))
        with progress.step(f"proof from {source.name}"):
            prove(proving, source.name, released)
        result = ship(engine, released, by=whoami(), on_event=progress.event)
    conclude(result, what=f"{released.named.release.tag.short} on {target.name}", as_json=as_json)
