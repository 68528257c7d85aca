"""``fairway logs``."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def logs(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    service: Annotated[str, typer.Option(help="app (the slot that serves), edge, or a Compose service.")] = "app",
    tail: Annotated[int, typer.Option(help="How many of the last lines.", min=0)] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as new lines come.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as a JSON document.")] = False,
) -> None:
    """Show what the application, the edge or another service says, without the host's secrets."""
    import json

    from fairway.cli.context import open_engine
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    def show(event: dict[str, Any]) -> None:
        if event.get("kind") == "log":
            line = str(event.get("line"))
            print(json.dumps({"line": line}, ensure_ascii=False) if as_json else line, flush=True)

    with open_engine(load().environment(environment)) as engine:
        engine.call(Operation.LOGS, show, service=service, tail=tail, follow=follow)
