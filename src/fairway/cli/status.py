"""``fairway status``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from fairway.cli.output import CountOption, JsonOption

COLUMNS = ("environment", "serves", "slot", "since (UTC)", "by", "rollback to")


def status(
    environment: Annotated[str | None, typer.Argument(help="One environment; without it, all.")] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Look again and again, until Ctrl-C; with --json a line for each look."),
    ] = False,
    interval: Annotated[float, typer.Option(help="With --watch: seconds between looks.", min=1, max=3600)] = 5.0,
    count: CountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what serves, as the hosts themselves answer now.

    For one environment also its slots, the migrations on record, and each release
    that could be gone back to with what it would cost. Exits with 5 when a host
    cannot be reached and 1 when something differs from the record or a front door is
    down; --watch shows that, and exits with 0 when it is ended.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.engine.contract.errors import FairwayError
    from fairway.engine.contract.protocol import Operation
    from fairway.observe.glance import down_doors

    config = load()
    targets = (
        [config.environment(environment)]
        if environment
        else [config.environment(name) for name in config.environment_order]
    )
    if watch:
        from fairway.cli.status_watch import watch_status

        watch_status(targets, interval_s=interval, count=count, as_json=as_json)
        return
    found: dict[str, dict[str, Any]] = {}
    for target in targets:
        try:
            with open_engine(target) as engine:
                found[target.name] = engine.call(Operation.STATUS)
                note_edge_image(found[target.name], target.edge_image)
        except FairwayError as error:
            found[target.name] = {"error": error.as_json()}
    if as_json:
        print_json(found)
    else:
        _show(found)
        if environment and "error" not in found[environment]:
            _show_details(found[environment])
    codes = [answer["error"]["exit_code"] for answer in found.values() if "error" in answer]
    amiss = any(answer.get("drift") or down_doors(answer) for answer in found.values())
    raise typer.Exit(max(codes, default=1 if amiss else 0))


def _show(found: dict[str, dict[str, Any]]) -> None:
    from fairway.cli.output import print_table, stdout
    from fairway.observe.glance import glance

    seen = [glance(name, answer) for name, answer in found.items()]
    print_table(COLUMNS, [one.row for one in seen])
    for one in seen:
        for note in one.notes:
            stdout().print(f"{one.environment}: {note}", markup=False)


def note_edge_image(answer: dict[str, Any], configured: str) -> None:
    """Add a note when fairway.toml names another image for the edge than the host was last told."""
    edge = answer.get("edge")
    if isinstance(edge, dict) and edge["image"] != configured:
        line = f"the edge is {edge['image']}, fairway.toml says {configured}: fairway edge upgrade <environment>"
        edge["notes"] = [line]


def _show_details(answer: dict[str, Any]) -> None:
    from fairway.cli.output import print_table
    from fairway.cli.rollbacks import floor_words, show_rollbacks
    from fairway.observe.glance import leftovers

    print()
    print_table(
        ("slot", "release", "container", "edge", "connections"),
        [
            (
                name + (" (serves)" if slot["active"] else ""),
                str(slot["tag"] or "")[:11],
                str(slot["container"]),
                str(slot["edge"]).lower(),
                str(slot["connections"] if slot["connections"] is not None else "unknown"),
            )
            for name, slot in answer["slots"].items()
        ],
    )
    if answer["schema"] is not None:
        applied = answer["schema"]["applied"]
        print(f"\nmigrations on record: {len(applied)}, the newest {applied[-1]}" if applied else "\nno migrations yet")
    for line in _backup_lines(answer.get("backups") or {}):
        print(line)
    for line in _uptime_lines(answer.get("uptime") or ()):
        print(line)
    if answer.get("leftovers") is not None:
        print(f"secrets left in the database: {leftovers(answer)}")
    if answer["rollbacks"]:
        print()
        show_rollbacks(answer["rollbacks"])
        print(floor_words(answer.get("rollback_floor"), answer["rollbacks"]))


def _backup_lines(backups: dict[str, Any]) -> list[str]:
    """Say when the newest backup was taken, and how the last drill and the last copy went."""
    newest = backups.get("newest")
    if newest is None:
        return ["no backup yet: fairway backup create <environment>"] if backups else []
    encrypted = ", encrypted" if newest["encrypted"] else ""
    lines = [f"newest backup: {newest['id']}, {_age(newest['age_s'])} old{encrypted}"]
    for what, word in (("drill", "last drill"), ("copy", "last copy")):
        if told := backups.get(what):
            about = f" of {told['backup']}" if told.get("backup") else ""
            reason = f": {told['error']}" if told.get("error") else ""
            lines.append(f"{word}: {told['outcome']}{about}, {str(told['at'])[:16].replace('T', ' ')}{reason}")
    return lines


def _uptime_lines(doors: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say how available each front door was; one that is not up is among the notes."""
    from fairway.observe.uptime import availability_words

    for door in doors:
        if door["state"] == "up":
            yield f"front door {door['url']}: up since {str(door['since'])[:16].replace('T', ' ')}, " + (
                availability_words(door["availability"])
            )


def _age(age_s: float) -> str:
    if age_s < 5400:
        return f"{age_s / 60:.0f} min"
    return f"{age_s / 3600:.0f} h" if age_s < 72 * 3600 else f"{age_s / 86400:.0f} days"
