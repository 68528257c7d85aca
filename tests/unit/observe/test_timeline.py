"""The graph: what stands in which lane, what is told, what fits."""

from __future__ import annotations

import re

from fairway.observe.attempts import read_attempts
from fairway.observe.timeline import ASCII, LINES, Event, draw, tell
from tests.unit.observe.records import NOW, entry

FROM = {"staging": None, "canary": "staging", "production": "staging"}
STAGING = [
    entry(9, "deploy", "a"),
    entry(7, "deploy", "b", "failed", replaces="a", failed_in="ready", error={"what": "not ready", "exit_code": 1}),
    entry(6, "deploy", "c", replaces="a"),
]
PRODUCTION = [
    entry(8, "deploy", "a"),
    entry(5, "deploy", "c", replaces="a"),
    entry(4, "restart", "c", replaces="c"),
    entry(3, "rollback", "a", replaces="c"),
    entry(2, "deploy", "d", "cancelled", replaces="a"),
]


def _events() -> list[Event]:
    return tell([*read_attempts("staging", STAGING), *read_attempts("production", PRODUCTION)], FROM)


def _text(events: list[Event], lanes: list[str], width: int = 200, ascii_only: bool = False) -> list[str]:
    lines = draw(events, lanes, now=NOW, width=width, strokes=ASCII if ascii_only else LINES)
    return ["".join(text for text, _ in line) for line in lines]


def test_each_lane_shows_what_happened_there_and_promotions_cross() -> None:
    lines = _text(_events(), ["staging", "production"])
    assert lines[:2] == ["staging", "│ production"]
    assert [line[:4] for line in lines[2:]] == ["│ ○ ", "│ ↩ ", "│ ↻ ", "├─● ", "● │ ", "✗ │ ", "├─● ", "●   "]


def test_a_promotion_crosses_the_lanes_between() -> None:
    events = tell([*read_attempts("staging", STAGING[:1]), *read_attempts("production", PRODUCTION[:1])], FROM)
    assert _text(events, ["staging", "canary", "production"])[3].startswith("├───● ")
    assert _text(events, ["production", "staging"])[2].startswith("●─┤ ")


def test_every_line_is_ascii_where_it_must_be() -> None:
    lines = _text(_events(), ["staging", "production"], ascii_only=True)
    assert all(line.isascii() for line in lines)
    assert [line[:4] for line in lines[2:]] == ["| o ", "| < ", "| ~ ", "+-* ", "* | ", "x | ", "+-* ", "*   "]


def test_it_is_told_how_long_each_release_served_and_which_does() -> None:
    told = [event.words(NOW) for event in _events()]
    assert told == [
        "deploy cancelled by ada",
        "rolled back from sha-ccccccc by ada, serves for 3 days",
        "restarted by ada",
        "promoted from staging by ada, served 48 h",
        "deployed by ada, serves for 6 days",
        "deploy failed in ready: not ready",
        "promoted from staging by ada, served 3 days",
        "deployed by ada, served 3 days",
    ]


def test_what_does_not_fit_goes_on_beside_the_lanes() -> None:
    lines = _text(_events(), ["staging", "production"], width=40)
    assert max(map(len, lines)) <= 40
    below = lines[lines.index(next(line for line in lines if line.startswith("│ ↩"))) + 1]
    assert below.startswith("│ │ ")


def test_a_figure_is_not_parted_from_its_unit() -> None:
    lines = [line for width in range(30, 100) for line in _text(_events(), ["staging", "production"], width=width)]
    assert [line for line in lines if re.search(r"\bserve[ds]( for)? \d+$", line)] == []
    assert any(line.endswith("served 48 h") for line in lines)


def test_a_release_that_never_served_there_is_deployed_not_promoted() -> None:
    events = tell(read_attempts("production", [entry(1, "deploy", "z")]), FROM)
    assert events[0].promoted_from is None


def test_a_year_is_named_where_it_is_not_this_one() -> None:
    events = tell(read_attempts("staging", [entry(300, "deploy", "a")]), FROM)
    assert "2025-09-03 12:00 sha-aaaaaaa" in _text(events, ["staging"])[1]
