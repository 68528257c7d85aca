"""The record of every attempt, with filters."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from fairway.dashboard.desk import DeskOf
from fairway.dashboard.rendering import page
from fairway.dashboard.views.history import Filters, HistoryPage, history

router = APIRouter()
_Text = Annotated[str, Query(max_length=200)]


def _filters(
    environment: _Text = "",
    action: _Text = "",
    outcome: _Text = "",
    by: _Text = "",
    about: _Text = "",
    since: _Text = "",
    until: _Text = "",
) -> Filters:
    return Filters(environment, action, outcome, by, about, _day(since), _day(until))


def _day(text: str) -> date | None:
    # A form sends a field that was left empty, too; what is no day narrows nothing.
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


FiltersOf = Annotated[Filters, Depends(_filters)]
PageNumber = Annotated[int, Query(ge=1, le=100_000, alias="page")]


@router.get("/history", include_in_schema=False)
def show(request: Request, desk: DeskOf, filters: FiltersOf, number: PageNumber = 1) -> HTMLResponse:
    """Show the record."""
    found = history(desk.observers.sights(), filters, number)

    def to(other: int) -> str:
        kept = {key: value for key, value in request.query_params.items() if key != "page" and value}
        return "?" + urlencode({**kept, "page": other})

    return page(request, "history.html", found=found, filters=filters, names=desk.names, to=to)


@router.get("/api/history", tags=["history"])
def lines(desk: DeskOf, filters: FiltersOf, number: PageNumber = 1) -> HistoryPage:
    """The record of every environment, 50 entries a page, the newest first."""
    return history(desk.observers.sights(), filters, number)
