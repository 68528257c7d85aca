"""``fairway status``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fairway.cli.output import JsonOption


def status(
    environment: Annotated[str | None, typer.Argument(help="One environment; without it, all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what serves, as the hosts themselves answer now.

    Exits with 5 when a host cannot be reached and 1 when something differs from the record.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.errors import FairwayError
    from fairway.engine.contract.protocol import Operation

    config = load()
    targets = (
        [config.environment(environment)]
        if environment
        else [config.environment(name) for name in config.environment_order]
    )
    found: dict[str, dict[str, Any]] = {}
    for target in targets:
        try:
            with open_engine(target) as engine:
                found[target.name] = engine.call(Operation.STATUS)
        except FairwayError as error:
            found[target.name] = {"error": error.as_json()}
    if as_json:
        print_json(found)
    else:
        _show(found)
    codes = [answer["error"]["exit_code"] for answer in found.values() if "error" in answer]
    drifted = any(answer.get("drift") for answer in found.values())
    raise typer.Exit(max(codes, default=1 if drifted else 0))


def _show(found: dict[str, dict[str, Any]]) -> None:
    from fairway.cli.output import print_table, stdout

    rows = []
    notes = []
    for name, answer in found.items():
        if "error" in answer:
            rows.append((name, "unknown", "", "", "", ""))
            error = answer["error"]
            notes.append(f"{name}: {error['what']}\n  why: {error['why']}\n  next: {error['hint']}")
            continue
        serving = answer["serving"]
        previous = answer["previous"]
        rows.append(
            (
                name,
                str(serving["tag"])[:11] if serving else "nothing",
                str(serving["slot"]) if serving else "",
                str(serving["since"])[:19].replace("T", " ") if serving else "",
                str(serving["by"] or "") if serving else "",
                _rollback_note(answer, previous),
            )
        )
        notes += [f"{name}: drift: {line}" for line in answer["drift"]]
        if answer["deploying"]:
            notes.append(f"{name}: a deployment is running: fairway attach {name}")
    print_table(("environment", "serves", "slot", "since (UTC)", "by", "rollback to"), rows)
    for note in notes:
        stdout().print(note, markup=False)


def _rollback_note(answer: dict[str, Any], previous: dict[str, Any] | None) -> str:
    if previous is None:
        return "nothing yet"
    slot = answer["slots"][previous["slot"]]
    warm = slot["container"] == "running" and slot["tag"] == previous["tag"]
    return f"{str(previous['tag'])[:11]} ({'warm' if warm else 'cold'})"
