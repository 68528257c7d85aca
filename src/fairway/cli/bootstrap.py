"""``fairway bootstrap``."""

from __future__ import annotations

from typing import Annotated

import typer

from fairway.cli.output import JsonOption


def bootstrap(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    as_json: JsonOption = False,
) -> None:
    """Prepare an environment's host: deploy directory, engine, registry login; then look it over.

    Safe to run again, and the way to bring a host to a newer Fairway. The registry
    login is this environment's _GHCR_USERNAME and _GHCR_TOKEN, or the login that
    Docker has on this machine.
    """
    from fairway.cli.context import transport_to
    from fairway.cli.doctor import check_host, show_checks
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.remote.preparing import prepare_host

    config = load()
    target = config.environment(environment)
    with Progress() as progress:
        prepare_host(config, target, transport_to(target), progress)
    raise typer.Exit(show_checks({environment: check_host(config, target)}, as_json=as_json))
