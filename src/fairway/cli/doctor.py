"""``fairway doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairway.config import Config, Environment
    from fairway.remote.session import EngineSession
    from fairway.remote.trust import EvidenceKey


def doctor(
    environment: Annotated[str | None, typer.Argument(help="One environment; without it, all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Look over this machine and the hosts: everything a release and a deployment will need.

    Exits with 1 when a check fails; each failing check says what to do.
    """
    from fairway.config import load
    from fairway.release.doctor import check_here
    from fairway.secrets.github import look_over as check_github

    config = load()
    targets = (
        [config.environment(environment)]
        if environment
        else [config.environment(name) for name in config.environment_order]
    )
    found = {"this machine": check_here(config)}
    found.update({target.name: check_host(config, target) for target in targets})
    if on_github := check_github(config, [target.name for target in targets]):
        found["GitHub"] = on_github
    raise typer.Exit(show_checks(found, as_json=as_json))


def check_host(
    config: Config, target: Environment, connect: Callable[[], EngineSession] | None = None
) -> list[dict[str, Any]]:
    """Have a host's engine look itself over; a host that cannot be reached is a failed check.

    ``connect`` is by which way; without it, as whoever deploys.
    """
    from fairway.cli.context import open_engine
    from fairway.engine.contract.errors import FairwayError
    from fairway.engine.contract.protocol import Operation
    from fairway.remote.trust import look_over, read_trust

    registries = sorted({config.images.app.registry, config.images.migrator.registry})
    try:
        with connect() if connect else open_engine(target) as engine:
            checks: list[dict[str, Any]] = engine.call(
                Operation.DOCTOR,
                registries=registries,
                env=config.env_rules.as_json(),
            )["checks"]
            trust = read_trust(engine)
            kept = look_over(
                target.name, target.policy, target.admin, trust, target.promote_from, _key_of_source(config, target)
            )
            found = [engine_check(engine.engine_version, target.name), *checks, *kept]
    except FairwayError as error:
        found = [{"name": "connection", "ok": False, "found": f"{error.what}: {error.why}", "hint": error.hint}]
    return [*found, *_check_ground(config, target)]


def _check_ground(config: Config, target: Environment) -> list[dict[str, Any]]:
    """Have the host itself looked over, where an administrator keeps it."""
    from fairway.cli.context import keeper_for
    from fairway.remote.ground import ground_checks, wish_for

    keeper = keeper_for(target)
    if keeper.deploy_user is None:
        return []
    return ground_checks(keeper, wish_for(config, target, keeper.deploy_user))


def _key_of_source(config: Config, target: Environment) -> EvidenceKey | None:
    """Ask the environment that releases come from for its key; None where it cannot be asked from here."""
    from fairway.cli.context import open_engine
    from fairway.engine.contract.errors import FairwayError
    from fairway.remote.trust import read_trust

    if target.promote_from is None:
        return None
    try:
        with open_engine(config.environment(target.promote_from)) as engine:
            return read_trust(engine).evidence_key
    except FairwayError:
        return None  # that environment has a look-over of its own, which says why


def engine_check(engine: object, environment: str) -> dict[str, Any]:
    """Hold the engine's version against this one; the two understand each other, or it would not have answered."""
    from fairway import __version__
    from fairway.engine.contract.versions import UPGRADE, Relation, compare

    relation = compare(engine, __version__)
    hints = {
        Relation.OLDER: f"fairway bootstrap {environment}",
        Relation.NEWER: f"upgrade this fairway: {UPGRADE}",
    }
    found = str(engine) if relation is Relation.SAME else f"{engine}, {relation.value} than this fairway {__version__}"
    return {"name": "engine", "ok": True, "found": found, "hint": hints.get(relation, "")}


def show_checks(found: dict[str, list[dict[str, Any]]], *, as_json: bool) -> int:
    """Show the checks of several places; return the exit code."""
    from rich.text import Text

    from fairway.cli.output import print_json, stdout

    failed = any(not check["ok"] for checks in found.values() for check in checks)
    if as_json:
        print_json(found)
        return int(failed)
    console = stdout()
    for place, checks in found.items():
        console.print(Text(place, style="bold"))
        for check in checks:
            sign = ("✓", "green") if check["ok"] else ("✗", "red")
            console.print(Text.assemble("  ", sign, f" {check['name']:<22} {check['found']}"))
            if check["hint"]:
                console.print(Text(f"    next: {check['hint']}"))
    return int(failed)
