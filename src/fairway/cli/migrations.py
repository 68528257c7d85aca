"""``fairway migrations``: the migrations of a release, and what a database has on record of them."""

from __future__ import annotations

import typer

from fairway.cli import migrations_status

app = typer.Typer(help="See what a database has on record of the migrations.", no_args_is_help=True)
app.command("status", epilog="Example: fairway migrations status production")(migrations_status.status)
