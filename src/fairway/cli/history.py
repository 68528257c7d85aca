"""``fairway history``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from fairway.evidence.record import Record

_NEWEST = 20


def history(
    environment: Annotated[
        str | None, typer.Argument(help="Where, as named in fairway.toml; --graph without it shows all.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help=f"How many of the newest entries; {_NEWEST} by default.", min=1, max=1000)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All entries, checked as with --verify.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check that no entry was changed, removed or put in; here and on the host.")
    ] = False,
    known: Annotated[
        str, typer.Option(help="With --verify: the hash of an entry, noted earlier, that must still be there.")
    ] = "",
    graph: Annotated[
        bool, typer.Option("--graph", help="Draw which release served where and when, newest first.")
    ] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="With --graph: draw with ASCII only.")] = False,
    export: Annotated[bool, typer.Option("--export", help="Print all entries, whole, as JSON lines.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the host's record of every attempt: who, what, when, and why it failed.

    Each entry holds the hash of the one before. --verify has the host check the
    chain, reads all of it, and checks it here too; note the head it prints and give
    it as --known the next time, and a record that was written anew shows. Exits with
    1 when the record does not hold together. --graph draws the releases of all
    environments side by side: deployments, promotions, failures and rollbacks.
    """
    from fairway.cli.context import open_engine
    from fairway.config import load
    from fairway.engine.contract.errors import Invalid
    from fairway.engine.contract.protocol import Operation
    from fairway.evidence.record import read_record

    whole = everything or verify or export or bool(known)
    if graph:
        if verify or export or known:
            raise Invalid("--graph draws and does not check", hint="check the record on its own: --verify")
        from fairway.cli.history_graph import show_graph

        limit = None if everything else limit or _NEWEST
        show_graph(load(), environment, limit=limit, ascii_only=ascii_only, as_json=as_json)
        return
    if environment is None:
        raise Invalid("whose record?", hint="fairway history <environment>, or all as a graph: fairway history --graph")
    if whole and limit is not None:
        raise Invalid("--limit is for the newest entries", why="--all, --verify and --export read all of them")
    with open_engine(load().environment(environment)) as engine:
        if not whole:
            _show(engine.call(Operation.HISTORY, limit=limit or _NEWEST)["entries"], as_json=as_json)
            return
        record = read_record(engine, known=known, on_entry=_print_line if export else None)
    if everything and not export:
        _show(list(record.entries), as_json=as_json)
    elif not export and as_json:
        from fairway.cli.output import print_json

        print_json(record.as_json())
    elif not export:
        _print_verdict(environment, record)
    if record.problems:
        _complain(environment, record)
        raise typer.Exit(1)


def _show(entries: list[dict[str, Any]], *, as_json: bool) -> None:
    from fairway.cli.output import print_json, print_table
    from fairway.observe.entries import row

    if as_json:
        print_json(entries)
        return
    print_table(("n", "at (UTC)", "action", "release", "outcome", "seconds", "by", "reason"), map(row, entries))


def _print_line(entry: dict[str, Any]) -> None:
    import json

    print(json.dumps(entry, ensure_ascii=False))


def _print_verdict(environment: str, record: Record) -> None:
    verdict = "holds together" if not record.problems else "DOES NOT HOLD TOGETHER"
    print(f"{environment}: the record {verdict}: {record.here.entries} entries, checked on the host and here")
    print(f"head: {record.here.head}")
    if record.here.torn:
        print(f"cut short by a crash, and without meaning: line {', '.join(map(str, record.here.torn))}")


def _complain(environment: str, record: Record) -> None:
    from fairway.cli.output import stderr

    for problem in record.problems:
        stderr().print(f"{environment}: {problem}", markup=False)
    stderr().print("next: keep the host's .fairway/ledger.jsonl as evidence and find out who wrote to it", markup=False)
