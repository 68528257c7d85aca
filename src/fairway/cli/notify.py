"""``fairway notify``: who is told what happens on a host."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fairway.cli.output import JsonOption

app = typer.Typer(no_args_is_help=True, help="Who is told what happens on a host, through apprise.")

EnvironmentArgument = Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")]


@app.command("test", epilog="Example: fairway notify test production")
def send_test(
    environment: EnvironmentArgument,
    to: Annotated[
        str | None, typer.Option("--to", help="One receiver, by its url_key; without it, all.", metavar="KEY")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Have the host send a test message, and show what apprise said to it.

    Exits with 1 when a receiver did not get it.
    """
    from fairway.cli.context import open_engine, whoami
    from fairway.cli.output import print_json, stderr
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    wanted: dict[str, Any] = {"to": to} if to else {}
    with open_engine(load().environment(environment)) as engine:
        answer = engine.call(Operation.NOTIFY_TEST, by=whoami(), **wanted)
    if as_json:
        print_json(answer)
    else:
        for row in answer["results"]:
            if row["sent"]:
                print(f"{row['to']}: sent")
            else:
                stderr().print(f"{row['to']}: not sent: {row['said']}\n  next: {row['hint']}", markup=False)
    raise typer.Exit(0 if all(row["sent"] for row in answer["results"]) else 1)


@app.command("list", epilog="Example: fairway notify list production")
def list_(environment: EnvironmentArgument, as_json: JsonOption = False) -> None:
    """Show who is told of what, what was told last, and what waits. Addresses stay on the host."""
    from fairway.cli.context import open_engine
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation

    with open_engine(load().environment(environment)) as engine:
        answer = engine.call(Operation.NOTIFY_LIST)
    if as_json:
        print_json(answer)
    else:
        _show(answer)


def _show(answer: dict[str, Any]) -> None:
    from fairway.cli.output import print_table, stdout

    print_table(
        ("receiver", "service", "at most an hour", "events"),
        [
            (row["url_key"], row["service"] or "no address", str(row["at_most"]), ", ".join(row["events"]))
            for row in answer["receivers"]
        ],
    )
    for title, rows in (("told last", answer["told"][::-1]), ("waiting", answer["waiting"])):
        if rows:
            print()
            print_table(
                (title, "to", "event", "message"),
                [(_time(row.get("told_at") or row["at"]), row["to"], row["event"], row["title"]) for row in rows],
            )
    if answer["held_back"]:
        print(f"\nheld back for now: {answer['held_back']}")
    for line in [*([answer["problem"]] if answer["problem"] else []), *answer["warnings"]]:
        stdout().print(f"mind: {line}", markup=False)


def _time(at: str) -> str:
    return at[:19].replace("T", " ")
