"""``fairway secrets``: copies of secrets that are where none should be, and those that a pipeline needs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fairway.cli.output import JsonOption

app = typer.Typer(
    no_args_is_help=True,
    help="Secrets: what the application's database still has of them, and what a pipeline needs. None is printed.",
)

Where = Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")]


@app.command("scan", epilog="Example: fairway secrets scan production")
def scan(environment: Where, as_json: JsonOption = False) -> None:
    """Count the secrets that the database still has, by name; no value leaves it, nor a length.

    Where to look is secrets.leftovers in fairway.toml, as the release has it that serves
    there. Exits with 1 when something is left, and else with 2 when a table or a column that
    is named there is not in the database.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    config = load()
    with open_engine(config.environment(environment)) as engine:
        result = engine.call(Operation.SECRETS_SCAN)
    if as_json:
        print_json(result)
    else:
        _show(environment, result)
    scanned = result["scan"] or {"rows": 0, "missing": []}
    raise typer.Exit(1 if scanned["rows"] else 2 if scanned["missing"] else 0)


@app.command("clear", epilog="Example: fairway secrets clear staging --yes")
def clear(
    environment: Where,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Clear without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Empty what a scan finds: in one transaction, all of it or nothing, on the record.

    Shows first what it would clear, and asks. Nothing is changed when the database has
    anything else by then. Exits with 3 when it is refused, and 4 while a deployment runs or
    somebody has locked the environment.
    """
    from fairway.cli.context import open_engine, whoami
    from fairway.cli.output import ask, print_json
    from fairway.config import load
    from fairway.engine.contract.errors import Cancelled
    from fairway.engine.contract.protocol import Operation

    with open_engine(load().environment(environment)) as engine:
        found = engine.call(Operation.SECRETS_SCAN)
        left = [one for one in (found["scan"] or {"found": []})["found"] if one["rows"]]
        if not as_json:
            _show(environment, found)
        if not left:
            result: dict[str, Any] = {"cleared": [], "rows": 0, "advice": ""}
        elif not yes and not ask(f"Clear these {_count(found['scan']['rows'])} in {environment}?"):
            raise Cancelled("nothing was cleared")
        else:
            result = engine.call(Operation.SECRETS_CLEAR, by=whoami(), expected=left)
    if as_json:
        print_json(result)
    elif left:
        print(f"cleared {_count(result['rows'])} in {environment}; it is on the record")
        print(f"now {result['advice']}")


def _show(environment: str, result: dict[str, Any]) -> None:
    from fairway.cli.output import print_table, stderr

    scanned = result["scan"]
    if scanned is None:
        print(f"{environment}: {str(result['release'])[:11]} names no place to look at")
        stderr().print("name it under [[secrets.leftovers]] in fairway.toml, release and deploy", markup=False)
        return
    known = result["set"]
    print_table(
        ("secret", "table", "left", "in the host's settings"),
        [
            (one["key"], one["table"], _left(one["rows"]), "yes" if one["key"] in known else "no")
            for one in scanned["found"]
        ],
    )
    for line in scanned["missing"]:
        print(f"note: {line}")
    only_here = [one["key"] for one in scanned["found"] if one["rows"] and one["key"] not in known]
    if only_here:
        print(
            f"note: before you clear, see that the application does without, or has by another way: {_and(only_here)}"
        )
    if scanned["rows"]:
        print(f"{environment}: {_count(scanned['rows'])} left")
    elif scanned["missing"]:
        print(f"{environment}: nothing is left where it was looked; correct secrets.leftovers in fairway.toml, release")
    else:
        print(f"{environment}: nothing is left")


def _left(rows: int) -> str:
    return "none" if rows == 0 else str(rows)


def _count(rows: int) -> str:
    return f"{rows} value" if rows == 1 else f"{rows} values"


def _and(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(names))
