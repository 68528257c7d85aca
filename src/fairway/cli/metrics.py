"""``fairway metrics``: figures made of what the hosts have on record."""

from __future__ import annotations

import typer

from fairway.cli import metrics_dora

app = typer.Typer(no_args_is_help=True, help="Figures made of what the hosts have on record.")
app.callback()(lambda: None)  # one command is still a command of its own
app.command("dora", epilog="Example: fairway metrics dora production --since 90d")(metrics_dora.dora)
