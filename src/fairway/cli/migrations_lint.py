"""``fairway migrations lint`` and ``accept``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairway.migrations.choices import Form, Word


def lint(
    path: Annotated[Path | None, typer.Argument(help="A repository; without it, the one here.")] = None,
    form: Annotated[Form, typer.Option("--format", help="How it is said.")] = Form.TEXT,
    since: Annotated[
        str | None, typer.Option("--since", help="Judge only what came since a branch, a tag or a commit.")
    ] = None,
) -> None:
    """Judge the migrations: can the release before each still run on the schema after it?

    EXPAND: it can. CONTRACT: it cannot, and once applied nobody can go back to it. REVIEW: that
    cannot be told, and a person has to say. With the statement, the reason, the safe way to do it
    in two releases, and the locks that it may hold for too long. Commands that go around the
    migrations (prisma db push and its kin) are found in what a deployment runs.

    Exits with 1 when a REVIEW or a CONTRACT has no word in verdicts.toml, when a word there holds
    for nothing, and for a forbidden command.
    """
    from fairway.config import find, load
    from fairway.migrations.report import render
    from fairway.release.migrations import lint as run

    report = run(load(find(path.absolute()) if path is not None else None), since)
    typer.echo(render(report, form))
    if report.refused:
        raise typer.Exit(1)


def accept(
    verdict: Annotated[Word, typer.Option("--as", help="What it is.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in one line.")],
    ids: Annotated[list[str] | None, typer.Argument(help="The migrations, as lint names them.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that need a word, as when Fairway comes to an old repository.")
    ] = False,
    replaces: Annotated[
        list[str] | None,
        typer.Option(
            "--replaces",
            help="A migration that this one was squashed from, and whose file is gone. Once for each.",
            metavar="MIGRATION",
        ),
    ] = None,
) -> None:
    """Say of migrations what they are, and why, bound to their exact bytes.

    A REVIEW can be either. A CONTRACT can only be accepted as one: it is then the point behind
    which no rollback goes. Of one that was squashed from others, --replaces names those: databases have
    them on record, and no release ships them any more. The word is written into verdicts.toml beside
    the migrations; commit it.
    """
    from fairway.config import load
    from fairway.engine.contract.errors import Invalid
    from fairway.engine.contract.manifest import Verdict
    from fairway.migrations.sources import VERDICTS
    from fairway.release.migrations import accept as run

    if bool(ids) == everything:
        raise Invalid("name the migrations, or --all of them", hint="see them with: fairway migrations lint")
    config = load()
    written = run(config, ids or (), Verdict(verdict.value), reason, everything=everything, replaces=replaces or ())
    if not written:
        typer.echo(f"no migration needs a word that could be {verdict.value}")
        return
    typer.echo(f"{config.migrations.path}/{VERDICTS}: {', '.join(written)}: {verdict.value}\nnext: commit it")
