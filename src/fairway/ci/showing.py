"""How a run shows: live on a terminal, in GitHub's groups, or in plain lines."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import TYPE_CHECKING, TextIO

from fairway.ci import junit
from fairway.ci.results import StageResult, State
from fairway.ci.stages import Stage
from fairway.findings import as_github, github_error

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.table import Table

MARKS = {
    State.PASSED: ("✓", "green"),
    State.FAILED: ("✗", "red"),
    State.SKIPPED: ("-", "yellow"),
    State.CANCELLED: ("■", "yellow"),
}
_SHOWN_TAIL = 20
# GitHub shows the first ten of a step; all of them are in the reports.
_MAX_ANNOTATIONS = 50
# What a stage may tell GitHub by itself. The rest would end the stage's group, or have nothing more be heard.
_PASSED_ON = frozenset({"error", "warning", "notice", "debug", "add-mask"})
_COMMAND = re.compile(r"^\s*::\s*(?P<now>[^\s:]*)|##\[(?P<once>[^\s\];]*)")


def headline(result: StageResult) -> str:
    """Say in a line what became of a stage."""
    took = f" after {result.seconds:.1f} s" if result.log else ""
    tests = f" ({result.tests.in_words})" if result.tests and result.tests.total else ""
    reason = f": {' '.join(result.reason.split())}" if result.reason else ""
    return f"{result.name} {result.state.value}{took}{tests}{reason}"


def harmless(line: str) -> str:
    """Return a line of a stage's output as GitHub may read it: with no workflow command but those that tell something.

    >>> harmless("::stop-commands::x"), harmless("##[endgroup]"), harmless("::error file=a.ts,line=1::no")
    ('| ::stop-commands::x', '| # #[endgroup]', '::error file=a.ts,line=1::no')
    """
    commands = {(found["now"] or found["once"] or "").lower() for found in _COMMAND.finditer(line)}
    return line if commands <= _PASSED_ON else f"| {line.replace('##[', '# #[')}"


class Plain:
    """Lines as they come, each with its stage in front: for a pipe, or a CI without groups."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._width = 0

    def begin(self, stages: Sequence[Stage]) -> None:
        """Know how wide the names are."""
        self._width = max((len(stage.name) for stage in stages), default=0)

    def started(self, stage: Stage) -> None:
        """Say that it begins."""
        self._print(f"→ {stage.name}")

    def line(self, stage: Stage, text: str) -> None:
        """Say the line with its stage in front."""
        self._print(f"{stage.name:<{self._width}} | {text}")

    def ended(self, result: StageResult) -> None:
        """Say what became of it."""
        self._print(f"{MARKS[result.state][0]} {headline(result)}")
        for note in result.notes:
            self._print(f"{result.name:<{self._width}} ! {note}")

    def tick(self) -> None:
        """Say nothing."""

    def notice(self, text: str) -> None:
        """Say it."""
        self._print(f"! {text}")

    def end(self) -> None:
        """Say nothing."""

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class GitHub:
    """A stage's whole output as one group when it has ended, and what failed as annotations beside the code.

    Lines of stages that run beside each other would be of no group otherwise. ``within`` is where
    ``fairway.toml`` stands in the checkout, which annotations are relative to.
    """

    def __init__(self, stream: TextIO, within: PurePosixPath) -> None:
        self._stream = stream
        self._within = within

    def begin(self, stages: Sequence[Stage]) -> None:
        """Say nothing."""

    def started(self, stage: Stage) -> None:
        """Say that it begins."""
        self._print(f"{stage.name} started")

    def line(self, stage: Stage, text: str) -> None:
        """Say nothing before it has ended."""

    def ended(self, result: StageResult) -> None:
        """Print the group, and the annotations after it: within it they would be folded away."""
        if result.log is None:
            self._print(f"{MARKS[result.state][0]} {headline(result)}")
            return
        self._print(f"::group::{MARKS[result.state][0]} {headline(result)}")
        with result.log.open(encoding="utf-8", errors="replace") as log:
            for line in log:
                self._stream.write(harmless(line if line.endswith("\n") else f"{line}\n"))
        for note in result.notes:
            self._print(f"fairway: {note}")
        self._print("::endgroup::")
        if result.state is State.FAILED:
            self._annotate(result)

    def tick(self) -> None:
        """Say nothing."""

    def notice(self, text: str) -> None:
        """Say it."""
        self._print(text)

    def end(self) -> None:
        """Say nothing."""

    def _annotate(self, result: StageResult) -> None:
        failures = result.tests.failures[:_MAX_ANNOTATIONS] if result.tests else ()
        placed = junit.findings(failures, result.name, self._within)
        if placed:
            self._print(as_github(placed))
        for failure in failures:
            if not failure.path:
                self._print(github_error(f"{result.name}: {failure.test}"[:200], failure.message))
        if not failures:
            self._print(github_error(f"{result.name} failed", result.reason))

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class OnTerminal:
    """A line a stage: what it is doing, for how long, and the last it said. What fails is told above at once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._stages: tuple[Stage, ...] = ()
        self._begun: dict[str, float] = {}
        self._last: dict[str, str] = {}
        self._results: dict[str, StageResult] = {}
        self._spinners: dict[str, Spinner] = {}

    def begin(self, stages: Sequence[Stage]) -> None:
        """Begin to show."""
        from rich.live import Live

        self._stages = tuple(stages)
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=8, transient=True)
        self._live.start()

    def started(self, stage: Stage) -> None:
        """Count its time from now on."""
        from rich.spinner import Spinner

        self._spinners[stage.name] = Spinner("dots", style="cyan")
        self._begun[stage.name] = monotonic()

    def line(self, stage: Stage, text: str) -> None:
        """Show it as the last that the stage said."""
        if text.strip():
            self._last[stage.name] = text.strip()

    def ended(self, result: StageResult) -> None:
        """Keep what became of it; tell a failure with the end of its log."""
        from rich.text import Text

        self._results[result.name] = result
        if result.state is not State.FAILED:
            return
        lines = [Text.assemble(MARKS[result.state], f" {headline(result)}", style="bold")]
        lines += [Text(f"  {line}", style="dim") for line in result.tail[-_SHOWN_TAIL:]]
        self._console.print(Text("\n").join(lines), soft_wrap=True)

    def tick(self) -> None:
        """Leave it to the display, which refreshes by itself."""

    def notice(self, text: str) -> None:
        """Say it above."""
        self._console.print(text, markup=False)

    def end(self) -> None:
        """Stop showing; the summary follows."""
        if self._live is not None:
            self._live.stop()

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        # Cut here: a table would make room for a long line by cutting the names.
        room = max(self._console.width - max(len(stage.name) for stage in self._stages) - len(" ✓   1234.5 s "), 10)
        for stage in self._stages:
            result = self._results.get(stage.name)
            if result is not None:
                took = f"{result.seconds:.1f} s" if result.log else ""
                said = result.reason or (result.tests.in_words if result.tests else "")
                table.add_row(Text(*MARKS[result.state]), stage.name, took, Text(said[:room]))
            elif stage.name in self._begun:
                took = f"{monotonic() - self._begun[stage.name]:.1f} s"
                table.add_row(
                    self._spinners[stage.name],
                    stage.name,
                    took,
                    Text(self._last.get(stage.name, "")[:room], style="dim"),
                )
            else:
                waits = f"needs {', '.join(stage.needs)}" if stage.needs else ""
                table.add_row("", Text(stage.name, style="dim"), "", Text(waits[:room], style="dim"))
        return table


def checkout_path(root: Path, environ: Mapping[str, str] = os.environ) -> PurePosixPath:
    """Return where ``root`` is in the checkout that GitHub shows annotations in."""
    workspace = environ.get("GITHUB_WORKSPACE", "")
    try:
        return PurePosixPath(root.resolve().relative_to(Path(workspace).resolve())) if workspace else PurePosixPath()
    except ValueError:
        return PurePosixPath()
