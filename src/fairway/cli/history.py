"""``fairway history``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def history(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    limit: Annotated[int, typer.Option(help="How many of the newest entries.", min=1)] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the host's record of every attempt: who, what, when, and why it failed."""
    from fairway.cli.context import open_engine
    from fairway.cli.output import print_json, print_table
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    with open_engine(load().environment(environment)) as engine:
        entries = engine.call(Operation.HISTORY, limit=limit)["entries"]
    if as_json:
        print_json(entries)
        return
    print_table(
        ("n", "at (UTC)", "action", "release", "outcome", "seconds", "by", "reason"),
        [
            (
                str(entry["n"]),
                str(entry["at"])[:19].replace("T", " "),
                str(entry["action"]),
                str(entry["tag"])[:11],
                str(entry["outcome"]),
                f"{entry['seconds']:.1f}",
                str(entry["by"]),
                str((entry.get("error") or {}).get("what", "")),
            )
            for entry in entries
        ],
    )
