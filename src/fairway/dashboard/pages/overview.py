"""The first page: the environments side by side."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from fairway.dashboard.desk import DeskOf
from fairway.dashboard.rendering import page
from fairway.dashboard.views.history import Filters, history
from fairway.dashboard.views.overview import EnvironmentCard, card

router = APIRouter()
_LAST = 8


@router.get("/", include_in_schema=False)
def show(request: Request, desk: DeskOf) -> HTMLResponse:
    """Show every environment."""
    return page(request, "overview.html", **_shown(desk))


@router.get("/parts/environments", include_in_schema=False)
def part(request: Request, desk: DeskOf) -> HTMLResponse:
    """Return what is on it alone, for a page that is open."""
    return page(request, "parts/environments.html", **_shown(desk))


@router.get("/api/environments", tags=["environments"])
def environments(desk: DeskOf) -> list[EnvironmentCard]:
    """What every environment serves, since when and by whom, and what of it wants attention."""
    return _cards(desk)


def _shown(desk: DeskOf) -> dict[str, Any]:
    found = history(desk.observers.sights(), Filters(), 1)
    return {"cards_shown": _cards(desk), "last": found.lines[:_LAST], "unheard": found.unheard}


def _cards(desk: DeskOf) -> list[EnvironmentCard]:
    return [card(sight, desk.config.environments[sight.environment].promote_from) for sight in desk.observers.sights()]
