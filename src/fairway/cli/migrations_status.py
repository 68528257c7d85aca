"""``fairway migrations status``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fairway.cli.output import JsonOption

_TROUBLE = ("failed", "in-flight", "edited", "unknown")


def status(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    as_json: JsonOption = False,
) -> None:
    """Show what the database has on record of the migrations, beside what the release that serves ships.

    Asks the database itself: applied, pending, failed, in flight, edited after it was
    applied, squashed since (replaced), applied by another release (beyond), known to no
    release. Exits with 1 when one failed, is in flight, was edited or is unknown.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    with open_engine(load().environment(environment)) as engine:
        found = engine.call(Operation.MIGRATIONS)
    if as_json:
        print_json(found)
    else:
        _show(environment, found)
    raise typer.Exit(1 if any(found["counts"].get(name) for name in _TROUBLE) else 0)


def _show(environment: str, found: dict[str, Any]) -> None:
    from fairway.cli.output import print_table

    rows = [
        (str(row["id"]), str(row["state"]), str(row["verdict"] or ""), str(row["words"])) for row in found["migrations"]
    ]
    print_table(("migration", "state", "verdict", "words"), rows)
    counts = ", ".join(f"{count} {name}" for name, count in found["counts"].items() if count)
    print(f"{environment} ({str(found['release'])[:11]}, {found['kind']}): {counts or 'no migrations'}")
