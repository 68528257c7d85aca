"""``fairway metrics overlay``: a monitoring of one's own, as a directory that Docker Compose starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def overlay(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The directory to write into.", metavar="DIR", file_okay=False)
    ] = Path("monitoring"),
    on: Annotated[
        str | None,
        typer.Option("--on", help="The environment whose first host it will stand on; without it, a machine apart."),
    ] = None,
    front_door: Annotated[
        list[str] | None,
        typer.Option(
            "--front-door", help="Where visitors find an environment, if fairway.toml does not say.", metavar="NAME=URL"
        ),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", help="The address of a host that only ssh knows by its name.", metavar="HOST=IP"),
    ] = None,
    interval: Annotated[
        int, typer.Option("--interval", help="Seconds between two looks.", metavar="SECONDS", min=1, max=300)
    ] = 30,
    patience: Annotated[
        int,
        typer.Option(
            "--patience",
            help="Seconds for which visitors are not served before somebody is told.",
            metavar="SECONDS",
            min=1,
            max=3600,
        ),
    ] = 120,
    as_json: JsonOption = False,
) -> None:
    """Write a Compose project with Prometheus, Alertmanager, the exporters and Grafana, for these environments.

    Started beside the application or, better, on another machine. What it wrote before
    is written anew, but for .env and alertmanager.yml, which are yours. Credentials are
    files that you put below secrets/: none is in what is written.
    """
    from fairway.cli.output import print_json, print_table, stderr, stdout
    from fairway.config import load
    from fairway.observe.overlay import Pace, files, plan, write

    config = load()
    if on is not None:
        config.environment(on)  # says what there is when there is none of that name
    made = plan(
        config.project,
        [config.environment(name) for name in config.environment_order],
        config.readiness.path,
        on=on,
        front_doors=_pairs("--front-door", front_door or ()),
        addresses=_pairs("--address", address or ()),
        pace=Pace(interval, patience),
    )
    written = write(output, files(made))
    if as_json:
        print_json(
            {
                "directory": str(output),
                "project": made.name,
                "files": [{"path": one.path, "outcome": one.outcome.value} for one in written],
                "front_doors": [{"environment": one.environment, "url": one.url} for one in made.doors],
                "notes": list(made.notes),
            }
        )
        return
    print_table(("file", ""), [(str(output / one.path), one.outcome.value) for one in written])
    for note in made.notes:
        stderr().print(f"note: {note}", markup=False)
    stdout().print("how to go on: docs/how-to/monitoring.md")


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Take ``NAME=VALUE`` apart."""
    from fairway.engine.contract.errors import Invalid

    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value) or name in pairs:
            raise Invalid(f"{option} {text!r} is not of the form NAME=VALUE, each name once")
        pairs[name] = value
    return pairs
