"""``fairway gate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from fairway.config import Config, Environment
    from fairway.evidence.explain import Standing
    from fairway.registry import Archive, ArchivedRelease


def gate(
    environment: Annotated[str, typer.Argument(help="Where to, as named in fairway.toml.")],
    tag: Annotated[str, typer.Argument(help="The release: sha-<commit>, or enough of it to be the only one.")],
    as_json: JsonOption = False,
) -> None:
    """Show what an environment asks of a release, and what of it is met and missing.

    The environment's own host answers, as it would for a deployment now; nothing is
    changed. Exits with 0 when everything is met and with 3 when something is missing.
    """
    from fairway.cli import summary
    from fairway.cli.context import open_archive
    from fairway.cli.output import print_json, stdout
    from fairway.config import load

    config = load()
    archive = open_archive(config)
    _, standing = look(config, config.environment(environment), archive, tag)
    summary.add(summary.checklist(standing, environment))
    if as_json:
        print_json(standing.as_json())
    else:
        show_standing(standing, stdout())
    raise typer.Exit(0 if standing.met else 3)


def look(config: Config, target: Environment, archive: Archive, tag: str) -> tuple[ArchivedRelease, Standing]:
    """Find a release, collect what was said of it, and ask the environment's host how it stands there."""
    from fairway.cli.context import open_engine, sources_of
    from fairway.cli.progress import Progress
    from fairway.evidence import standing

    with Progress() as progress:
        released, found = standing.look(
            archive,
            lambda: archive.resolve(tag),
            target.name,
            sources_of(target),
            lambda name: open_engine(target if name == target.name else config.environment(name)),
        )
        for notice in found.collected.notices:
            progress.notice(notice)
        return released, found


def show_standing(standing: Standing, console: Console) -> None:
    """Show the checklist with its notes."""
    from rich.text import Text

    from fairway.evidence.review import plain

    answer = standing.answer
    before = answer.get("replaces_tag")
    what = f"{standing.named.release.tag.short} in place of {str(before)[:11] if before else 'nothing'}"
    console.print(Text.assemble((f"{answer.get('environment')}: ", "bold"), what))
    for check in answer["checks"]:
        sign = ("✓", "green") if check["met"] else ("✗", "red")
        console.print(Text.assemble("  ", sign, f" {check['name']:<18} {plain(str(check['found']))}"))
        if check["hint"] and not check["met"]:
            console.print(Text(f"    next: {plain(str(check['hint']))}"))
    for note in standing.notes:
        console.print(Text.assemble(("note: ", "yellow"), plain(note)))
