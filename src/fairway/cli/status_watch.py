"""``fairway status --watch``: what serves, redrawn in place, as a table or, on a narrow terminal, as a card each."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from fairway.cli.watching import refuse_without_terminal, watch
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.protocol import Operation

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fairway.config import Environment
    from fairway.observe.glance import Glance
    from fairway.remote.line import Line

_NARROW = 90


def watch_status(targets: Sequence[Environment], *, interval_s: float, count: int | None, as_json: bool) -> None:
    """Ask every host again and again over one connection each; one that is away is shown, and asked again."""
    refuse_without_terminal(
        "one look: fairway status; a JSON line for each of many: fairway status --watch --json", as_json=as_json
    )
    from fairway.cli.context import open_engine
    from fairway.remote.line import Line

    lines = [(target, Line(partial(open_engine, target))) for target in targets]
    pool = ThreadPoolExecutor(max_workers=max(1, len(lines)))

    def look() -> dict[str, dict[str, Any]]:
        # One that is slow or away keeps nobody but this look waiting.
        answers = pool.map(lambda each: _ask(*each), lines)
        return {target.name: answer for (target, _), answer in zip(lines, answers, strict=True)}

    try:
        watch(look, show=_draw, document=_document, interval_s=interval_s, count=count, as_json=as_json)
    finally:
        # A look may have been broken off while its questions go on: they end without an answer.
        for _, line in lines:
            line.hang_up()
        pool.shutdown(cancel_futures=True)
        for _, line in lines:
            line.close()


def _ask(target: Environment, line: Line) -> dict[str, Any]:
    from fairway.cli.status import note_edge_image

    try:
        answer = line.call(Operation.STATUS)
    except FairwayError as error:
        return {"error": error.as_json()}
    note_edge_image(answer, target.edge_image)
    return answer


def _document(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "environments": found}


def _draw(found: dict[str, dict[str, Any]]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from fairway.cli.output import stdout
    from fairway.observe.glance import glance

    now = datetime.now(UTC)
    seen = [glance(name, answer) for name, answer in found.items()]
    parts = [_card(one, now) for one in seen] if stdout().width < _NARROW else [_table(seen), *map(_below, seen)]
    return Group(*parts, Text(f"{now:%H:%M:%S} UTC, Ctrl-C ends", style="dim"))


def _table(seen: Sequence[Glance]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    from fairway.cli.status import COLUMNS

    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, no_wrap=True)
    for one in seen:
        name, *cells = one.row
        table.add_row(Text(name, style=_colour(one)), *map(Text, cells))
    return table


def _below(one: Glance) -> RenderableType:
    from rich.text import Text

    said = [*one.slots, *one.notes]
    return Text("\n".join(f"{one.environment}: {line}" for line in said), style=_colour(one) if one.notes else "")


def _card(one: Glance, now: datetime) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    age = one.age(now)
    served = (f"for {age}{f', by {one.by}' if one.by else ''}",) if age else ()
    lines = "\n".join((*served, *one.slots, *one.notes))
    return Group(
        Text.assemble((one.name, f"bold {_colour(one)}"), " ", one.serves),
        Padding(Text(lines), (0, 0, 1 if lines else 0, 2)),
    )


def _colour(one: Glance) -> str:
    return "red" if one.trouble else "yellow" if one.notes else "green"
