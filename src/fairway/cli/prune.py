"""``fairway prune``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fairway.cli.output import JsonOption


def prune(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would go and what stays, and why; touch nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove what a host keeps beyond its retention: old releases with their images, journals, logs, engines.

    Every successful deployment does the same by itself. What serves, what served
    before it and what any container uses stays; so do volumes, the ledger, and
    whatever Fairway did not bring to the host.
    """
    from fairway.cli.context import open_engine, whoami
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    with open_engine(load().environment(environment)) as engine:
        found = engine.call(Operation.PRUNE, plan=plan, by=whoami())
    if as_json:
        print_json(found)
    elif plan:
        _show_plan(found)
    else:
        _show_removed(found)
    raise typer.Exit(1 if found.get("problems") else 0)


def _show_plan(found: dict[str, Any]) -> None:
    from fairway.cli.output import print_table

    rows = [("goes", item) for item in found["goes"]] + [("stays", item) for item in found["stays"]]
    print_table(
        ("", "what", "name", "why"),
        [(verdict, str(item["kind"]), _short(item), str(item["why"])) for verdict, item in rows],
    )
    print(f"would free about {_size(found['freed_bytes'])}" if found["goes"] else "nothing to remove")


def _show_removed(found: dict[str, Any]) -> None:
    from fairway.cli.output import stderr

    removed = {kind: names for kind, names in found["removed"].items() if names}
    parts = [f"{len(names)} {kind if len(names) > 1 else kind[:-1]}" for kind, names in removed.items()]
    print(f"removed {', '.join(parts)}; freed about {_size(found['freed_bytes'])}" if parts else "nothing to remove")
    for problem in found["problems"]:
        stderr().print(f"not removed: {problem}", markup=False)


def _short(item: dict[str, Any]) -> str:
    name = str(item["name"])
    if item["kind"] == "release":
        return name[:11]
    return name[: name.index("@sha256:") + 20] if "@sha256:" in name else name


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.1f} MiB"
