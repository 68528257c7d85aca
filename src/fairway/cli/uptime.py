"""``fairway uptime``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.cli.output import JsonOption

if TYPE_CHECKING:
    from fairway.config import Config
    from fairway.observe.uptime import View


def uptime(
    environment: Annotated[str | None, typer.Argument(help="One environment; without it, all.")] = None,
    outages: Annotated[int, typer.Option(help="How many of the last outages are shown.", min=0, max=20)] = 5,
    as_json: JsonOption = False,
) -> None:
    """Show whether visitors are served, how available that was, and the last outages with their reasons.

    It is what the hosts have seen, each its own front door, and those of others that
    watched_from names it for. A time in which nobody looked counts neither as up nor as
    down. Exits with 1 when a front door is down, as seen from anywhere, and with 5
    when a host cannot be asked.
    """
    from fairway.cli.output import print_json
    from fairway.config import load
    from fairway.observe.uptime import views

    config = load()
    names = [environment] if environment else list(config.environment_order)
    for name in names:
        config.environment(name)  # one that there is not is refused before anything is asked
    watchers = {name: _watchers(config, name) for name in names}
    answers = _ask(config, sorted({each for found in watchers.values() for each in found}))
    seen = views(names, watchers, answers)
    if as_json:
        print_json({name: [view.as_json() for view in seen if view.environment == name] for name in names})
    else:
        _show(names, seen, outages)
    codes = [answer["error"]["exit_code"] for answer in answers.values() if "error" in answer]
    raise typer.Exit(max(codes, default=int(any(view.state == "down" for view in seen))))


def _watchers(config: Config, name: str) -> list[str]:
    table = config.environments[name]
    return [*([name] if table.watched else []), *([table.watched_from] if table.watched_from else [])]


def _ask(config: Config, names: list[str]) -> dict[str, dict[str, Any]]:
    from fairway.cli.context import open_sources
    from fairway.engine.contract.errors import FairwayError
    from fairway.engine.contract.protocol import Operation

    found: dict[str, dict[str, Any]] = {}
    # The connections are made at the same time; what is asked then is answered at once.
    with open_sources(config, names) as sessions:
        for name, session in sessions.items():
            try:
                if isinstance(session, FairwayError):
                    raise session
                found[name] = session.call(Operation.UPTIME)
            except FairwayError as error:
                found[name] = {"error": error.as_json()}
    return found


def _show(names: list[str], seen: list[View], limit: int) -> None:
    from fairway.cli.output import print_table, stdout
    from fairway.observe.uptime import WINDOWS, outage_lines

    if seen:
        print_table(("environment", "seen from", "is", "since (UTC)", *WINDOWS, "address"), map(_row, seen))
    for view in seen:
        if view.reason:
            stdout().print(f"{view.environment}, seen from {view.seen_from}: {view.reason}", markup=False)
    unwatched = [name for name in names if not any(view.environment == name for view in seen)]
    for name in unwatched:
        hint = f"set environments.{name}.url in fairway.toml, then: fairway bootstrap {name}"
        stdout().print(f"{name}: nobody looks at its front door; {hint}", markup=False)
    if rows := list(outage_lines(seen, limit)):
        print()
        print_table(("outage of", "began (UTC)", "lasted", "seen from", "reason"), rows)


def _row(view: View) -> tuple[str, ...]:
    from fairway.observe.uptime import WINDOWS, share

    if view.door is None:
        return (view.environment, view.seen_from, view.state, "", "-", "-", "-", "")
    since = str(view.door["since"] or "")[:19].replace("T", " ")
    shares = (share(view.door["availability"][window]) for window in WINDOWS)
    return (view.environment, view.seen_from, view.state, since, *shares, str(view.door["url"]))
