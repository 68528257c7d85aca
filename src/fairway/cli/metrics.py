"""``fairway metrics``: what Prometheus is told of a host, and what it is given to make something of it."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption

app = typer.Typer(no_args_is_help=True, help="What a host tells Prometheus, with alert rules and a dashboard.")


@app.command("show", epilog="Example: fairway metrics show production")
def show(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    as_json: JsonOption = False,
) -> None:
    """Print the host's figures as they are now, in Prometheus' text format."""
    from fairway.cli.context import open_engine
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    with open_engine(load().environment(environment)) as engine:
        found = engine.call(Operation.METRICS)
    if as_json:
        print_json(found)
    else:
        print(found["exposition"], end="")


@app.command("rules", epilog="Example: fairway metrics rules > /etc/prometheus/fairway-rules.yml")
def rules() -> None:
    """Print alert rules for Prometheus."""
    from fairway.observe.prometheus import rules as text

    print(text(), end="")


@app.command("dashboard", epilog="Example: fairway metrics dashboard > fairway.json")
def dashboard() -> None:
    """Print a dashboard for Grafana, to be imported as JSON."""
    from fairway.observe.prometheus import dashboard as text

    print(text(), end="")


@app.command("blackbox", epilog="Example: fairway metrics blackbox > /etc/prometheus/blackbox.yml")
def blackbox() -> None:
    """Print the blackbox exporter's configuration, which asks the sites from outside."""
    from fairway.observe.prometheus import blackbox as text

    print(text(), end="")


@app.command("scrape", epilog="Example: fairway metrics scrape")
def scrape() -> None:
    """Print the part of Prometheus' configuration that has it ask the environments of fairway.toml."""
    from fairway.config import load
    from fairway.observe.prometheus import scrape as text

    config = load()
    known = [config.environment(name) for name in config.environment_order]
    print(text(known, config.readiness.path), end="")
