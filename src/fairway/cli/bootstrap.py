"""``fairway bootstrap``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.cli.output import JsonOption, PlanOption

if TYPE_CHECKING:
    from fairway.cli.progress import Progress
    from fairway.config import Config, Environment
    from fairway.engine.groundwork.wish import Wish
    from fairway.remote.ground import Plan
    from fairway.remote.keeper import Keeper


def bootstrap(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    plan: PlanOption = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the host itself is changed.")] = False,
    deploy_key: Annotated[
        Path | None,
        typer.Option(
            "--deploy-key", help="The public key that may deploy, and do nothing else there.", metavar="FILE.pub"
        ),
    ] = None,
    at_boot: Annotated[
        bool, typer.Option("--at-boot/--no-at-boot", help="Have systemd recover the host when it comes back.")
    ] = True,
    downgrade: Annotated[
        bool, typer.Option("--downgrade", help="Put this version's engine in the place of a newer one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prepare an environment's host, from a bare Debian or Ubuntu on, and look it over.

    With an administrator in fairway.toml: Docker and Compose, the deploy user, its
    directory and settings, nginx's site; then engine, policy and keys, registry login. What
    is to be done to the host itself is shown first and, on a terminal, asked about. The
    administrator then keeps the engine, the policy and the keys from the deploy user.

    Without one, the deploy user prepares engine, policy and login on a host that has Docker.

    Safe to run again, and the way to bring a host to a newer Fairway. The registry
    login is this environment's _GHCR_USERNAME and _GHCR_TOKEN, or the login that
    Docker has on this machine.
    """
    from fairway.cli.context import keeper_for, whoami
    from fairway.cli.doctor import check_host, show_checks
    from fairway.cli.progress import Progress
    from fairway.config import load
    from fairway.remote.preparing import give_deploy_key, prepare_host

    config = load()
    target = config.environment(environment)
    keeper = keeper_for(target)
    public = _deploy_key(deploy_key)
    wish, ground = _look(config, target, keeper)
    if plan:
        _show_plan(target, ground, as_json=as_json)
        return
    if wish is not None and ground is not None and not _go_on(target, ground, yes=yes):
        raise typer.Exit(1)
    with Progress() as progress:
        if wish is not None and ground is not None:
            _make(keeper, wish, ground, progress)
        source = _source(config, target, progress)
        prepare_host(config, keeper, source, progress, by=whoami(), at_boot=at_boot, downgrade=downgrade)
        if public is not None:
            give_deploy_key(keeper, public, progress, by=whoami())
    found = check_host(config, target, keeper.deploy_session)
    raise typer.Exit(show_checks({environment: found}, as_json=as_json))


def _look(config: Config, target: Environment, keeper: Keeper) -> tuple[Wish | None, Plan | None]:
    """Return what is asked of the host itself and what was found there; nothing where no administrator keeps it."""
    from fairway.remote.ground import plan_ground, wish_for

    if keeper.deploy_user is None:
        return None, None
    wish = wish_for(config, target, keeper.deploy_user)
    return wish, plan_ground(keeper, wish)


def _show_plan(target: Environment, ground: Plan | None, *, as_json: bool) -> None:
    from fairway.cli.output import print_json, stdout
    from fairway.remote.ground import remarks

    then = ["engine", "configuration", "policy and keys", "recovery at boot and what is scheduled", "registry login"]
    if as_json:
        document: dict[str, Any] = {"environment": target.name, "host": ground.as_json() if ground else None}
        print_json({**document, "then": then})
        return
    for line in _plan_lines(target, ground):
        stdout().print(line, markup=False)
    for note in remarks(ground.wants) if ground and ground.seen else []:
        stdout().print(f"  mind: {note}", markup=False)
    stdout().print(f"then, each only where it is not so already: {', '.join(then)}", markup=False)


def _plan_lines(target: Environment, ground: Plan | None) -> list[str]:
    if ground is None:
        why = f"fairway.toml names no administrator for it: environments.{target.name}.admin"
        return [f"{target.name}: the host itself is left as it is ({why})"]
    lines = [f"{target.name}: on the host itself"]
    if not ground.seen:
        lines += ["  python3: apt-get install python3", "  and by then, if the host is as bare as it looks:"]
    for want in ground.wants:
        lines += [f"  {want['name']}: {step}" for step in want["steps"]]
        if want["blocked"]:
            lines.append(f"  {want['name']}: first: {want['blocked']}; {want['hint']}")
    return lines if ground.changes or len(lines) > 1 else [f"{target.name}: nothing to do on the host itself"]


def _go_on(target: Environment, ground: Plan, *, yes: bool) -> bool:
    """Show what would be done to the host itself and, on a terminal, ask. Raises ``Refused`` when it cannot be."""
    from fairway.cli.output import ask, stderr

    if ground.seen:
        ground.refuse_blocked(target.name)
    if not ground.changes:
        return True
    for line in _plan_lines(target, ground):
        stderr().print(line, markup=False)
    if yes or not sys.stdin.isatty():
        return True
    return ask("Go on?")


def _make(keeper: Keeper, wish: Wish, ground: Plan, progress: Progress) -> None:
    from fairway.remote.ground import make_ground, remarks

    for line in make_ground(keeper, wish, ground, progress) if ground.changes else remarks(ground.wants):
        progress.notice(line)


def _deploy_key(file: Path | None) -> Any:
    """Return the public key of a file, before anything is done. Raises ``Invalid``."""
    if file is None:
        return None
    from fairway.cli.keys import read_public

    return read_public(str(file))


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
