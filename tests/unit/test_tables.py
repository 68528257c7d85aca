"""A table shows every value whole, however narrow the terminal is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from fairway.cli import output

REASON = "the new container does not stay up: it exited with code 1"
ROWS = [("1", "2026-11-28 15:05:09", "deploy", REASON), ("2", "2026-11-28 15:06:10", "rollback", "")]


def _printed(monkeypatch: pytest.MonkeyPatch, *, width: int, terminal: bool = True) -> list[str]:
    said = io.StringIO()
    console = Console(file=said, force_terminal=terminal, no_color=True, width=width, soft_wrap=True, color_system=None)
    monkeypatch.setattr(output, "stdout", lambda: console)
    output.print_table(("n", "at", "action", "reason"), ROWS)
    return [line.rstrip() for line in said.getvalue().splitlines()]


@pytest.mark.parametrize("width", [20, 44, 60, 80])
def test_a_narrow_terminal_cuts_nothing_and_breaks_only_the_last_column(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    lines = _printed(monkeypatch, width=width)
    assert lines[1].startswith("1  2026-11-28 15:05:09  deploy    the new container")
    assert lines[-1] == "2  2026-11-28 15:06:10  rollback"
    assert " ".join(" ".join(lines[1:-1]).split()).endswith(REASON)
    assert len(lines) > 3


def test_where_there_is_room_each_row_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(_printed(monkeypatch, width=120)) == 3
    assert len(_printed(monkeypatch, width=40, terminal=False)) == 3
