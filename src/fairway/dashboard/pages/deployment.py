"""A deployment's page, live while it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from html import escape
from time import monotonic
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from fairway.dashboard.commands import DEPLOYMENT
from fairway.dashboard.desk import Desk, DeskOf
from fairway.dashboard.following import Entry, Follower
from fairway.dashboard.rendering import page
from fairway.dashboard.starting import Run
from fairway.dashboard.views.deployment import DeploymentView, said, show
from fairway.dashboard.views.traffic import charts, rows, x_of
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.protocol import Operation
from fairway.evidence.review import plain

router = APIRouter()
# A page waits so long for a deployment that nobody has followed yet.
_FIRST_WORD_S = 4.0
_LOOK_S = 0.4
_BEAT_S = 15.0
_NEWEST = 50

_STREAM = {
    200: {
        "description": "Server-sent events. `journal`: an entry of the host's journal, as JSON, with its number as "
        "id, so that `Last-Event-ID` goes on from there. `state`: the deployment as the route without `/events` "
        "gives it, at most every half second when something is new. `ended`: the same, at the end; nothing follows.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/deployments/{environment}/latest", include_in_schema=False)
def latest(environment: str, desk: DeskOf) -> Response:
    """Go to the deployment that runs, or to the newest one."""
    return RedirectResponse(f"/deployments/{environment}/{_newest(desk, environment)}", status_code=303)


@router.get("/deployments/{environment}/{deployment}", include_in_schema=False)
def show_page(environment: str, deployment: str, request: Request, desk: DeskOf) -> HTMLResponse:
    """Show a deployment."""
    view = _view(desk, _follower(desk, environment, deployment))
    return page(request, "deployment.html", **_shown(desk, view))


@router.get("/parts/deployments/{environment}/{deployment}", include_in_schema=False)
def part(environment: str, deployment: str, request: Request, desk: DeskOf) -> HTMLResponse:
    """Return what changes of the page, for one that is open."""
    view = _view(desk, _follower(desk, environment, deployment))
    return page(request, "parts/deployment_live.html", **_shown(desk, view))


@router.get("/parts/deployments/{environment}/{deployment}/log", include_in_schema=False)
def log_part(environment: str, deployment: str, request: Request, desk: DeskOf) -> HTMLResponse:
    """Return the log alone, which a reader may have scrolled: it comes only when there is more of it."""
    view = _view(desk, _follower(desk, environment, deployment))
    return page(request, "parts/deployment_log.html", view=view)


@router.get("/events/deployments/{environment}/{deployment}", include_in_schema=False)
async def events(environment: str, deployment: str, request: Request, desk: DeskOf) -> StreamingResponse:
    """Tell an open page that there is more to see, until the deployment has ended."""
    follower = _follower(desk, environment, deployment)

    async def stream() -> AsyncIterator[str]:
        told = ""
        log: tuple[str, ...] = ()
        async for _ in _news(request, desk, follower, lambda: desk.runs.of(environment, deployment)):
            view = await run_in_threadpool(_view, desk, follower)
            if (line := said(view)) != told:
                told = line
                yield f"event: said\ndata: {escape(plain(' '.join(line.split())))}\n\n"
            if view.log != log:
                log = view.log
                yield "event: log\ndata: now\n\n"
            yield "event: changed\ndata: now\n\n"
        if not desk.observers.hung_up:
            yield "event: ended\ndata: now\n\n"

    return desk.streams.answer(stream())


@router.get("/api/deployments/{environment}/{deployment}", tags=["deployments"])
def deployment_as_json(environment: str, deployment: str, desk: DeskOf) -> DeploymentView:
    """What a deployment did, found and met, step by step; of one that runs, so far."""
    return _view(desk, _follower(desk, environment, deployment))


@router.get(
    "/api/deployments/{environment}/{deployment}/events",
    tags=["deployments"],
    response_class=StreamingResponse,
    responses=_STREAM,  # type: ignore[arg-type]
)
async def events_as_json(
    environment: str,
    deployment: str,
    request: Request,
    desk: DeskOf,
    last_event_id: Annotated[int, Header(ge=0)] = 0,
) -> StreamingResponse:
    """Follow a deployment to its end, as server-sent events of JSON lines."""
    follower = _follower(desk, environment, deployment)

    async def stream() -> AsyncIterator[str]:
        told = last_event_id
        async for _ in _news(request, desk, follower, tuple):
            entries = follower.seen().entries
            for number, entry in enumerate(entries[told:], told + 1):
                yield f"event: journal\nid: {number}\ndata: {json.dumps(entry)}\n\n"
            told = max(told, len(entries))
            if not follower.over:
                yield f"event: state\ndata: {await run_in_threadpool(_document, desk, follower)}\n\n"
        if not desk.observers.hung_up:
            yield f"event: ended\ndata: {await run_in_threadpool(_document, desk, follower)}\n\n"

    return desk.streams.answer(stream())


async def _news(
    request: Request, desk: Desk, follower: Follower, runs: Callable[[], tuple[Run, ...]]
) -> AsyncIterator[None]:
    """Go on whenever there is news, and once at the end; nobody's thread is held meanwhile.

    The end is that of the deployment and of the commands about it: one archives what
    the host has signed after that.
    """
    told: tuple[int, tuple[Run, ...]] | None = None
    beat = monotonic()
    while not (desk.observers.hung_up or await request.is_disconnected()):
        begun_here = runs()
        over = follower.want().over and all(run.over for run in begun_here)
        if told != (now := (follower.version, begun_here)):
            told = now
            yield None
        if over:
            return
        if monotonic() - beat > _BEAT_S:
            beat = monotonic()
            yield None
        await asyncio.sleep(_LOOK_S)


def _follower(desk: Desk, environment: str, deployment: str) -> Follower:
    desk.sight(environment)
    if not DEPLOYMENT.fullmatch(deployment):
        raise Invalid("there is no such deployment", why="an id is for example 20260131-120000-000000")
    return desk.followers.follow(environment, deployment)


def _view(desk: Desk, follower: Follower) -> DeploymentView:
    followed = follower.wait_heard(_FIRST_WORD_S)
    recorded = _recorded(desk, follower)
    if followed.gone and recorded is None:
        assert followed.error is not None
        raise followed.error
    return show(followed, recorded)


def _recorded(desk: Desk, follower: Follower) -> Entry | None:
    """Return what the host's record says of it, waiting for the record where it was never heard and is all there is."""
    sight = desk.sight(follower.environment)
    if sight.answered_at is None and follower.gone:
        version = desk.observers.version
        desk.observers.wait(version, _FIRST_WORD_S)
        sight = desk.sight(follower.environment)
    return next((one for one in reversed(sight.entries) if one.get("deployment") == follower.deployment), None)


def _newest(desk: Desk, environment: str) -> str:
    sight = desk.sight(environment)
    status, entries = sight.status, sight.entries
    if status is None or status.get("deploying"):
        with desk.reach.engine(environment) as engine:
            status = engine.call(Operation.STATUS)
            entries = tuple(engine.call(Operation.HISTORY, limit=_NEWEST)["entries"])
    running = status.get("deployment") if status.get("deploying") else None
    named = [str(one.get("deployment")) for one in reversed(entries)]
    if isinstance(running, dict):
        named.insert(0, str(running.get("id")))
    found = next((one for one in named if DEPLOYMENT.fullmatch(one)), None)
    if found is None:
        raise Invalid(f"nothing was ever deployed to {environment}", hint=f"fairway deploy {environment} <tag>")
    return found


def _shown(desk: Desk, view: DeploymentView) -> dict[str, Any]:
    seen = view.traffic
    runs = desk.runs.of(view.environment, view.id)
    return {
        "view": view,
        "live": view.live or not all(run.over for run in runs),
        "charts": charts(seen) if seen else (),
        "rows": rows(seen) if seen else (),
        "moved_x": x_of(seen, seen.moved_s) if seen and seen.moved_s is not None else None,
        "runs": runs,
    }


def _document(desk: Desk, follower: Follower) -> str:
    from fastapi.encoders import jsonable_encoder

    return json.dumps(jsonable_encoder(_view(desk, follower)))
