"""``fairway deploy``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def deploy(
    environment: Annotated[str, typer.Argument(help="Where to, as named in fairway.toml.")],
    tag: Annotated[str, typer.Argument(help="The release: sha-<commit>, or enough of it to be the only one.")],
    as_json: JsonOption = False,
) -> None:
    """Deploy a release to an environment.

    Nothing a visitor can see changes before the new containers are ready. A
    deployment that fails is undone and the old release goes on serving. An
    environment with promote_from takes releases by [bold]fairway promote[/bold] only.
    """
    from fairway.cli.context import open_archive, open_engine, whoami
    from fairway.cli.deployment import conclude
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.evidence.shipping import refuse_unpromoted, ship

    config = load()
    target = config.environment(environment)
    refuse_unpromoted(target)
    with open_engine(target) as engine, Progress() as progress:
        archive = open_archive(config)
        released = archive.get(archive.resolve(tag))
        result = ship(engine, released, by=whoami(), on_event=progress.event)
    conclude(result, what=f"{released.named.release.tag.short} on {environment}", as_json=as_json)
