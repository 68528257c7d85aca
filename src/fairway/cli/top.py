"""``fairway top``: what visitors meet at the edge, live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.cli.output import CountOption, JsonOption
from fairway.engine.contract.errors import FairwayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from fairway.observe.rates import Rates

_KEPT_LOOKS = 200


def top(
    environment: Annotated[str, typer.Argument(help="Where, as named in fairway.toml.")],
    interval: Annotated[float, typer.Option(help="Seconds between looks.", min=0.2, max=3600)] = 1.0,
    count: CountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the edge does now: requests and answers per second, connections, queue, times, for each slot.

    The edge's own figures, asked over one connection; neither Docker nor the database
    is. Rates are between two looks, times HAProxy's means of the last 1,024 requests.
    Ends with Ctrl-C. Without a terminal, --json gives a line for each look.
    """
    from fairway.cli.context import open_engine
    from fairway.cli.watching import refuse_without_terminal, watch
    from fairway.config import load
    from fairway.engine.contract.protocol import Operation
    from fairway.remote.line import Line

    refuse_without_terminal(
        f"a JSON line for each look, with rates from the second on: fairway top {environment} --json --count 2",
        as_json=as_json,
    )
    target = load().environment(environment)
    line = Line(lambda: open_engine(target))
    looks = _Looks()
    try:
        watch(
            lambda: looks.add(lambda: line.call(Operation.EDGE_FIGURES)),
            show=_draw,
            document=_document,
            interval_s=interval,
            count=count,
            as_json=as_json,
        )
    finally:
        line.close()


class _Looks:
    """The newest answer with the rates since the one before, and the requests of a while."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        self.rates: dict[str, Rates | None] = {}
        self.requests: list[float] = []
        self.error: FairwayError | None = None

    def add(self, ask: Callable[[], dict[str, Any]]) -> _Looks:
        """Look once more. What is wrong at the first look is raised; later it may pass, and is shown."""
        from fairway.observe.rates import rates

        try:
            answer = ask()
        except FairwayError as error:
            if not self.answer:
                raise
            self.error = error
            return self
        self.error = None
        self.answer, self.rates = answer, rates(self.answer or None, answer)
        if (edge := self.rates["edge"]) is not None:
            self.requests = [*self.requests, edge.requests][-_KEPT_LOOKS:]
        return self


def _document(looks: _Looks) -> dict[str, Any]:
    if looks.error is not None:
        return {"error": looks.error.as_json()}
    per_s = {name: found.as_json() if found else None for name, found in looks.rates.items()}
    return {**looks.answer, "per_second": per_s}


def _draw(looks: _Looks) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from fairway.cli.output import draws_lines, stdout
    from fairway.observe.rates import bars, figures

    answer = looks.answer
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("")
    for name in ("edge", *answer["slots"]):
        table.add_column(f"{name} *" if name == answer["active"] else name, justify="right", no_wrap=True)
    for measure, cells in figures(answer, looks.rates):
        bad = measure in ("5xx/s", "broken/s") and any(cell not in ("", "-", "0") for cell in cells)
        table.add_row(measure, *cells, style="red" if bad else "")
    tags = [f"{slot} {str(tag)[:11]}" for slot, tag in answer["tags"].items() if tag]
    running = answer["deployment"]
    lines: list[RenderableType] = [
        Text.assemble((answer["environment"], "bold"), f" {answer['at'][11:19]} UTC, * serves"),
        Text(", ".join(tags)),
        table,
        Text(bars(looks.requests, stdout().width, ascii_only=not draws_lines()), style="cyan", no_wrap=True),
    ]
    if looks.error is not None:
        lines.append(Text(f"since then: {looks.error.what}: {looks.error.why}", style="red"))
    if running is not None:
        lines.append(Text(f"a {running.get('purpose')} by {running.get('by')} is running", style="yellow"))
    return Group(*lines, Text("Ctrl-C ends", style="dim"))
