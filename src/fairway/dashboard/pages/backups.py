"""The backups of every environment, and their drills."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from fairway.dashboard.desk import Desk, DeskOf
from fairway.dashboard.rendering import page
from fairway.dashboard.views.backups import EnvironmentBackups, backups
from fairway.engine.contract.protocol import Operation

router = APIRouter()
_KEPT_S = 30.0


@router.get("/backups", include_in_schema=False)
def show(request: Request, desk: DeskOf) -> HTMLResponse:
    """Show what each host has."""
    return page(request, "backups.html", found=_found(desk))


@router.get("/api/backups", tags=["backups"])
def every(desk: DeskOf) -> list[EnvironmentBackups]:
    """The backups on each host, what it warns of, and how the last drill and the last copy went."""
    return _found(desk)


def _found(desk: Desk) -> list[EnvironmentBackups]:
    def one(name: str) -> EnvironmentBackups:
        answer = desk.asking.ask(name, Operation.BACKUP_LIST, at_most_s=_KEPT_S)
        return backups(desk.sight(name), answer)

    with ThreadPoolExecutor(max_workers=8) as together:
        return list(together.map(one, desk.names))
