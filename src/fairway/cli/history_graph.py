"""``fairway history --graph``: which release served where and when, as a graph in the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.protocol import Operation

if TYPE_CHECKING:
    from fairway.config import Config
    from fairway.observe.attempts import Attempt
    from fairway.observe.timeline import Event

# More than are shown: backups and housekeeping stand between, and a release's span begins further back.
_READ = 1000
_PIPE_WIDTH = 400


def show_graph(config: Config, environment: str | None, *, limit: int | None, ascii_only: bool, as_json: bool) -> None:
    """Draw one environment's lane or all of them, side by side in the order of promotion.

    Raises what a host gave instead of its record after the others were drawn.
    """
    from fairway.cli.output import print_json
    from fairway.observe.attempts import read_attempts
    from fairway.observe.timeline import tell

    names = [environment] if environment else list(config.environment_order)
    promote_from = {name: config.environment(name).promote_from for name in names}
    attempts: list[Attempt] = []
    unheard: list[FairwayError] = []
    for name in names:
        try:
            attempts += read_attempts(name, _entries(config, name, whole=limit is None))
        except FairwayError as error:
            if environment:
                raise
            unheard.append(error)
    events = tell(attempts, promote_from)[:limit]
    if as_json:
        print_json([event.as_json() for event in events])
    else:
        _draw(events, names, ascii_only=ascii_only)
    if unheard:
        raise unheard[0]


def _entries(config: Config, name: str, *, whole: bool) -> list[dict[str, object]]:
    from fairway.cli.context import open_engine
    from fairway.evidence.record import read_record

    with open_engine(config.environment(name)) as engine:
        if whole:
            return list(read_record(engine).entries)
        found: list[dict[str, object]] = engine.call(Operation.HISTORY, limit=_READ)["entries"]
        return found


def _draw(events: list[Event], names: list[str], *, ascii_only: bool) -> None:
    from rich.text import Text

    from fairway.cli.output import draws_lines, stdout
    from fairway.observe.timeline import ASCII, LINES, draw

    console = stdout()
    width = console.width if console.is_terminal else _PIPE_WIDTH
    strokes = ASCII if ascii_only or not draws_lines() else LINES
    for line in draw(events, names, now=datetime.now(UTC), width=width, strokes=strokes):
        console.print(Text.assemble(*line))
    if not events:
        console.print("nothing was deployed yet")
