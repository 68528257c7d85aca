"""``fairway migrations``: what the migrations do to the release before them, and what a database has on record."""

from __future__ import annotations

import typer

from fairway.cli import migrations_lint, migrations_rehearse, migrations_status

app = typer.Typer(
    no_args_is_help=True,
    help="What the migrations do to the release before them, your word on it, and what a database has on record.",
)
app.command("lint", epilog="Example: fairway migrations lint --since origin/main --format github")(migrations_lint.lint)
app.command("accept", epilog='Example: fairway migrations accept 0005 --as contract --reason "nobody reads it now"')(
    migrations_lint.accept
)
app.command("rehearse", epilog="Example: fairway migrations rehearse production sha-4f2a9c1")(
    migrations_rehearse.rehearse
)
app.command("status", epilog="Example: fairway migrations status production")(migrations_status.status)
