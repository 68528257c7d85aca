"""One environment: its slots, services, schema, what can be gone back to, and what happened last."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from fairway.dashboard.desk import Desk, DeskOf
from fairway.dashboard.rendering import page
from fairway.dashboard.views.environment import EnvironmentPage, environment

router = APIRouter()


@router.get("/environments/{name}", include_in_schema=False)
def show(request: Request, desk: DeskOf, name: str) -> HTMLResponse:
    """Show an environment."""
    return page(request, "environment.html", one=_environment(desk, name))


@router.get("/parts/environments/{name}", include_in_schema=False)
def part(request: Request, desk: DeskOf, name: str) -> HTMLResponse:
    """Return what changes of it, for a page that is open."""
    return page(request, "parts/environment.html", one=_environment(desk, name))


@router.get("/api/environments/{name}", tags=["environments"])
def one(desk: DeskOf, name: str) -> EnvironmentPage:
    """Everything that is known of an environment now."""
    return _environment(desk, name)


def _environment(desk: Desk, name: str) -> EnvironmentPage:
    sight = desk.sight(name)
    return environment(sight, desk.config.environments[name].promote_from)
