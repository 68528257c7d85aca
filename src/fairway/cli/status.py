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

    For one environment also its slots, the migrations on record, and each release
    that could be gone back to with what it would cost. Exits with 5 when a host
    cannot be reached and 1 when something differs from the record.
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
    drifted = any(answer.get("drift") for answer in found.values())
    raise typer.Exit(max(codes, default=1 if drifted else 0))


def _show(found: dict[str, dict[str, Any]]) -> None:
    from fairway.cli.output import print_table, stdout
    from fairway.evidence.explain import locked_words

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
                f"{name} (locked)" if answer.get("locked") else name,
                str(serving["tag"])[:11] if serving else "nothing",
                str(serving["slot"]) if serving else "",
                str(serving["since"])[:19].replace("T", " ") if serving else "",
                str(serving["by"] or "") if serving else "",
                _rollback_note(answer, previous),
            )
        )
        if answer.get("locked"):
            notes.append(f"{name}: {locked_words(answer['locked'])}")
        notes += [f"{name}: drift: {line}" for line in answer["drift"]]
        if (answer.get("leftovers") or {}).get("rows"):
            notes.append(f"{name}: the database still has secrets ({_leftovers(answer)}): fairway secrets scan {name}")
        notes += [
            f"{name}: {line.replace('<environment>', name)}" for line in (answer.get("edge") or {}).get("notes", ())
        ]
        notes += [
            f"{name}: backups: {line.replace('<environment>', name)}"
            for line in (answer.get("backups") or {}).get("warnings", ())
        ]
        if answer["deploying"]:
            notes.append(f"{name}: {_running(answer)}: fairway attach {name}")
        elif answer["drift"]:
            notes.append(f"{name}: to bring it back to the record: fairway reconcile {name} --plan")
    print_table(("environment", "serves", "slot", "since (UTC)", "by", "rollback to"), rows)
    for note in notes:
        stdout().print(note, markup=False)


def note_edge_image(answer: dict[str, Any], configured: str) -> None:
    """Add a note when fairway.toml names another image for the edge than the host was last told."""
    edge = answer.get("edge")
    if isinstance(edge, dict) and edge["image"] != configured:
        line = f"the edge is {edge['image']}, fairway.toml says {configured}: fairway edge upgrade <environment>"
        edge["notes"] = [line]


def _running(answer: dict[str, Any]) -> str:
    running = answer["deployment"] or {}
    return f"a {running.get('purpose', 'deployment')} by {running.get('by')} is running since {running.get('since')}"


def _show_details(answer: dict[str, Any]) -> None:
    from fairway.cli.output import print_table
    from fairway.cli.rollbacks import floor_words, show_rollbacks

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
    if answer.get("leftovers") is not None:
        print(f"secrets left in the database: {_leftovers(answer)}")
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


def _age(age_s: float) -> str:
    if age_s < 5400:
        return f"{age_s / 60:.0f} min"
    return f"{age_s / 3600:.0f} h" if age_s < 72 * 3600 else f"{age_s / 86400:.0f} days"


def _leftovers(answer: dict[str, Any]) -> str:
    """Say how many secrets the database still has; an older engine does not know."""
    found = answer["leftovers"]
    if found["rows"] is None:
        return f"unknown: {'; '.join(found['missing'])}"
    missing = f" ({'; '.join(found['missing'])})" if found["missing"] else ""
    return (str(found["rows"]) if found["rows"] else "none") + missing


def _rollback_note(answer: dict[str, Any], previous: dict[str, Any] | None) -> str:
    if previous is None:
        return "nothing yet"
    slot = answer["slots"][previous["slot"]]
    warm = slot["container"] == "running" and slot["tag"] == previous["tag"]
    return f"{str(previous['tag'])[:11]} ({'warm' if warm else 'cold'})"
