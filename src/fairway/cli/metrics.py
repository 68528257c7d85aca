"""``fairway metrics``: figures made of what the hosts have on record."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Figures made of what the hosts have on record.")
app.callback()(lambda: None)  # with one command it is still a group
