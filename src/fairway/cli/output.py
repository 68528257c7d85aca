"""What a person or a script sees: tables and live progress, or JSON; colour on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairway.engine.contract.errors import FairwayError, Invalid

if TYPE_CHECKING:
    from rich.console import Console

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
CountOption = Annotated[int | None, typer.Option(help="How many looks; without it, until Ctrl-C.", min=1)]
PlanOption = Annotated[bool, typer.Option("--plan", help="Show the steps and what each would change; change nothing.")]
WaitOption = Annotated[
    float,
    typer.Option("--wait", help="Seconds to wait for another deployment to end.", metavar="SECONDS", min=0, max=86400),
]
RecreateOption = Annotated[
    list[str] | None,
    typer.Option("--recreate", help="A service such as the database that may be recreated with its new definition."),
]
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force", help="Go on whatever stands in the way in the database's schema; with --reason, on the record."
    ),
]
# Of a terminal that is too narrow even so, the lines go on below.
_LEAST_LAST_COLUMN = 20
_PIPE_WIDTH = 400

ReasonOption = Annotated[str, typer.Option("--reason", help="Why it is forced; kept in the host's record.")]


def stdout() -> Console:
    """Return the console for results."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def draws_lines() -> bool:
    """Say whether standard output takes more than ASCII."""
    try:
        "│●▁".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def stderr() -> Console:
    """Return the console for progress and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON document to standard output."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose values are all there whole: as wide as they are in a pipe, broken in its last column else."""
    from rich.table import Table
    from rich.text import Text

    lines = [tuple(row) for row in rows]
    console = stdout()
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        breaks = console.is_terminal and place == len(columns) - 1
        table.add_column(column, no_wrap=not breaks, overflow="fold" if breaks else "ignore")
    for row in lines:
        table.add_row(*(Text(cell) for cell in row))
    console.width = max(console.width, _least_width([columns, *lines])) if console.is_terminal else _PIPE_WIDTH
    console.print(table)


def _least_width(lines: Sequence[Sequence[str]]) -> int:
    """Return how wide a table must be so that nothing but its last column has to be broken."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, cells)) for cells in zip_longest(*lines, fillvalue="")]
    return sum(widths[:-1]) + 2 * (len(widths) - 1) + min(widths[-1], _LEAST_LAST_COLUMN)


def ask(question: str) -> bool:
    """Ask a yes-or-no question on the terminal. Raises ``Invalid`` where there is nobody to answer."""
    if not sys.stdin.isatty():
        raise Invalid("there is no terminal to ask on", hint="give the answer with --yes")
    return typer.confirm(question, err=True)


def show_error(error: FairwayError) -> None:
    """Say what happened, why, and what to do next; as JSON too when the command was asked for it."""
    if "--json" in sys.argv:
        print_json({"error": error.as_json()})
    from rich.text import Text

    console = stderr()
    console.print(Text.assemble(("error: ", "bold red"), error.what))
    if error.why:
        console.print(Text.assemble(("why: ", "bold"), error.why))
    if error.hint:
        console.print(Text.assemble(("next: ", "bold"), error.hint))
