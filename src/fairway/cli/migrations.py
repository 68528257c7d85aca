"""``fairway migrations``: the migrations of a repository, and what each does to the release before it."""

from __future__ import annotations

import typer

from fairway.cli import migrations_lint

app = typer.Typer(no_args_is_help=True, help="What the migrations do to the release before them, and your word on it.")
app.command("lint", epilog="Example: fairway migrations lint --since origin/main --format github")(migrations_lint.lint)
app.command("accept", epilog='Example: fairway migrations accept 0005 --as contract --reason "nobody reads it now"')(
    migrations_lint.accept
)
