"""The record of every environment as one list."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fairway.dashboard.observing import Sight
from fairway.dashboard.views.history import Filters, history
from tests.unit.dashboard.hosts import Host, dashboard, record
from tests.unit.observe.records import entry, tag

_FAILED = {
    "n": 5,
    **entry(
        1,
        "deploy",
        "e",
        "failed",
        by="bo (CI)",
        deployment="20260629-120000-000001",
        error={"what": "never ready", "why": "<b>503</b>\x1b[31m", "hint": "look at its log"},
    ),
}
_SIGHTS = (
    Sight("staging", entries=({"n": 1, **entry(9, "deploy", "a")}, {"n": 2, **entry(4, "deploy", "b")})),
    Sight("production", entries=({"n": 4, **entry(6, "rollback", "a")}, _FAILED)),
)


def test_the_newest_of_all_environments_comes_first() -> None:
    found = history(_SIGHTS, Filters(), 1)
    assert [(line.environment, line.n) for line in found.lines] == [
        ("production", 5),
        ("staging", 2),
        ("production", 4),
        ("staging", 1),
    ]
    assert (found.actions, found.outcomes) == (("deploy", "rollback"), ("failed", "succeeded"))


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        (Filters(environment="staging"), [2, 1]),
        (Filters(action="rollback"), [4]),
        (Filters(outcome="failed"), [5]),
        (Filters(by="BO"), [5]),
        (Filters(about="sha-aaaa"), [4, 1]),
        (Filters(about=tag("b")), [2]),
        (Filters(since=date(2026, 6, 26)), [5, 2]),
        (Filters(until=date(2026, 6, 24)), [4, 1]),
        (Filters(since=date(2026, 6, 24), until=date(2026, 6, 24)), [4]),
        (Filters(environment="nowhere"), []),
    ],
)
def test_a_filter_narrows(filters: Filters, numbers: list[int]) -> None:
    assert [line.n for line in history(_SIGHTS, filters, 1).lines] == numbers


def test_pages_divide_and_one_that_is_not_there_is_the_last() -> None:
    sight = Sight("staging", entries=tuple(record(120)))
    first, last = history([sight], Filters(), 1), history([sight], Filters(), 99)
    assert (len(first.lines), first.lines[0].n, first.pages, first.total) == (50, 120, 3, 120)
    assert ([line.n for line in last.lines], last.page) == (list(range(20, 0, -1)), 3)


def test_what_a_host_writes_is_shown_and_never_obeyed(tmp_path: Path) -> None:
    hosts = {"staging": Host(), "production": Host()}
    hosts["production"].entries = [_FAILED]
    with dashboard(tmp_path, hosts) as client:
        page = client.get("/history", params={"outcome": "failed", "since": "no day", "until": ""}).text
        assert "&lt;b&gt;503&lt;/b&gt;\\x1b[31m" in page
        assert "/deployments/production/20260629-120000-000001" in page
        assert "1 entry" in page
        (line,) = client.get("/api/history", params={"by": "bo"}).json()["lines"]
        assert (line["why"], line["next"]) == ("<b>503</b>\x1b[31m", "look at its log")


def test_an_entry_of_another_shape_does_not_break_the_page() -> None:
    odd: tuple[dict[str, Any], ...] = ({}, {"n": "x", "at": 7, "action": None, "error": "text", "seconds": "long"})
    assert history([Sight("staging", entries=odd)], Filters(), 1).total == 2
