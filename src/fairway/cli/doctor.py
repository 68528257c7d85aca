"""``fairway doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from fairway.config import Config, Environment


def doctor(
    environment: Annotated[str | None, typer.Argument(help="One environment; without it, all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Look over this machine and the hosts: everything a release and a deployment will need.

    Exits with 1 when a check fails; each failing check says what to do.
    """
    from fairway.config import load
    from fairway.release.doctor import check_here

    config = load()
    targets = (
        [config.environment(environment)]
        if environment
        else [config.environment(name) for name in config.environment_order]
    )
    found = {"this machine": check_here(config)}
    found.update({target.name: check_host(config, target) for target in targets})
    raise typer.Exit(show_checks(found, as_json=as_json))


def check_host(config: Config, target: Environment) -> list[dict[str, Any]]:
    """Have a host's engine look itself over; a host that cannot be reached is a failed check."""
    from fairway.cli.context import open_engine
    from fairway.engine.contract.errors import FairwayError
    from fairway.engine.contract.protocol import Operation

    registries = sorted({config.images.app.registry, config.images.migrator.registry})
    try:
        with open_engine(target) as engine:
            checks: list[dict[str, Any]] = engine.call(
                Operation.DOCTOR,
                registries=registries,
                env_file=config.env.file,
                required=list(config.env.required),
            )["checks"]
            return checks
    except FairwayError as error:
        return [{"name": "connection", "ok": False, "found": f"{error.what}: {error.why}", "hint": error.hint}]


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
