"""``fairway migrations rehearse``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fairway.cli.output import JsonOption


def rehearse(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    tag: Annotated[str, typer.Argument(help="The release: sha-<commit>, or enough of it to be the only one.")],
    as_json: JsonOption = False,
) -> None:
    """Try a release's migrations on a copy of the database, and the release that serves on what they leave.

    On the environment's own host, beside what serves and without a way to it; everything
    is removed again. Tells how long each migration took and which locks it held. The
    release must be one that may be deployed there now. Exits with 1 when the
    migrations fail, or the release that serves does not run on.
    """
    from fairway.cli.context import open_archive, open_engine, open_sources, sources_of, whoami
    from fairway.cli.output import print_json
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation
    from fairway.evidence.collect import collect
    from fairway.evidence.shipping import as_arguments

    config = load()
    target = config.environment(environment)
    with (
        open_engine(target) as engine,
        open_sources(config, sources_of(target)) as sources,
        Progress() as progress,
    ):
        archive = open_archive(config)
        released = archive.get(archive.resolve(tag))
        collected = collect(released.named, archive.statements, sources).or_fail()
        arguments = as_arguments(released, collected.statements)
        found = engine.call(Operation.REHEARSE, progress.event, by=whoami(), **arguments)
    if as_json:
        print_json(found)
    else:
        _show(environment, found)


def _show(environment: str, found: dict[str, Any]) -> None:
    tag, rehearsal = str(found["tag"])[:11], found["rehearsal"]
    before = rehearsal.get("before")
    if rehearsal["outcome"] == "nothing":
        print(f"{environment}: {tag} was not rehearsed: {rehearsal['why']}")
    elif before is None:
        print(f"{environment}: the migrations of {tag} run on a copy of the database; no release served before")
    elif rehearsal["outcome"] == "expected":
        print(f"{environment}: {str(before['tag'])[:11]} does not run on after {tag}, as its migrations say (contract)")
    else:
        print(f"{environment}: {str(before['tag'])[:11]} runs on after the migrations of {tag}")
    for problem in found["problems"]:
        print(f"note: {problem}")
