"""``fairway bootstrap``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from fairway.cli.progress import Progress
    from fairway.config import Config, Environment
    from fairway.remote.keeper import Keeper


def bootstrap(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    at_boot: Annotated[
        bool, typer.Option("--at-boot/--no-at-boot", help="Have systemd recover the host when it comes back.")
    ] = True,
    downgrade: Annotated[
        bool, typer.Option("--downgrade", help="Put this version's engine in the place of a newer one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prepare an environment's host: engine, policy and keys, registry login; then look it over.

    Goes in as the administrator that fairway.toml names for it, who then keeps the
    engine, the policy and the keys from the deploy user; else as the deploy user. Safe
    to run again, and the way to bring a host to a newer Fairway. The registry
    login is this environment's _GHCR_USERNAME and _GHCR_TOKEN, or the login that
    Docker has on this machine.
    """
    from fairway.cli.context import keeper_for, whoami
    from fairway.cli.doctor import check_host, show_checks
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.remote.preparing import prepare_host

    config = load()
    target = config.environment(environment)
    keeper = keeper_for(target)
    with Progress() as progress:
        source = _source(config, target, progress)
        prepare_host(config, keeper, source, progress, by=whoami(), at_boot=at_boot, downgrade=downgrade)
    found = check_host(config, target, keeper.deploy_session)
    raise typer.Exit(show_checks({environment: found}, as_json=as_json))


def _source(config: Config, target: Environment, progress: Progress) -> Keeper | None:
    """Return the way to the host that releases come from; what is missing for it here stops nothing."""
    from fairway.cli.context import keeper_for
    from fairway.engine.contract.errors import Invalid

    if target.promote_from is None:
        return None
    try:
        return keeper_for(config.environment(target.promote_from))
    except Invalid as error:
        progress.notice(f"{target.promote_from} cannot be asked for its evidence key: {error.what}: {error.why}")
        return None
