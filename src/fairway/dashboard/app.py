"""The web application: routes, who is let in, and what goes with every answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

import fairway
from fairway.config import Config
from fairway.dashboard.access import Access, Guard
from fairway.dashboard.archive import Shelf
from fairway.dashboard.asking import Asking
from fairway.dashboard.desk import Desk
from fairway.dashboard.following import Followers
from fairway.dashboard.gates import Gates
from fairway.dashboard.observing import Observers
from fairway.dashboard.pages import ROUTERS
from fairway.dashboard.reach import Reach
from fairway.dashboard.rendering import HERE, page
from fairway.dashboard.starting import Runs
from fairway.engine.contract.errors import Failed, FairwayError, Invalid, Refused

_DESCRIPTION = "What the pages of the dashboard show, as JSON. Read-only but where a route says otherwise."
# Nothing is loaded from elsewhere, and nobody else's page may hold this one.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_ODD = "it is a mistake of Fairway's: tell its authors what was asked for"
_LOG = logging.getLogger(__name__)
_STATUS = {Refused.exit_code: 409, Invalid.exit_code: 404}


def create_app(config: Config, reach: Reach, access: Access) -> FastAPI:
    """Return the dashboard of a project; it begins to ask the hosts when it is started."""
    observers = Observers(config.environment_order, reach.engine)
    shelf = Shelf(reach.archive, observers.note)
    followers = Followers(reach.engine)
    runs = Runs(reach.command, config.root)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        observers.start()
        shelf.start()
        try:
            yield
        finally:
            await run_in_threadpool(observers.stop)
            await run_in_threadpool(shelf.stop)
            await run_in_threadpool(followers.stop)
            await run_in_threadpool(runs.stop)

    app = FastAPI(
        title=f"Fairway: {config.project}",
        description=_DESCRIPTION,
        version=fairway.__version__,
        openapi_url="/api/openapi.json",
        # Both load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=life,
    )
    app.state.desk = Desk(
        config,
        reach,
        observers,
        Asking(reach.engine),
        access,
        shelf=shelf,
        gates=Gates(config, reach),
        followers=followers,
        runs=runs,
    )
    app.state.guard = Guard(access)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    for router in ROUTERS:
        app.include_router(router)
    app.middleware("http")(_guarded)
    app.add_exception_handler(FairwayError, _failed)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(RequestValidationError, _not_valid)
    return app


async def _guarded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        answer = await _answered(request, go_on)
    except Exception as error:
        # Whoever looks gets a page that says so; who looks for the reason asks for more of the log.
        _LOG.debug("a page failed", exc_info=True)
        answer = _told(request, Failed("this page cannot be shown", why=type(error).__name__, hint=_ODD), 500)
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


async def _answered(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    stopped = await request.app.state.guard.stop(request)
    if stopped is not None:
        return stopped  # type: ignore[no-any-return]
    answer = await go_on(request)
    if request.scope["path"].startswith("/static/"):
        answer.headers["Cache-Control"] = "private, max-age=300"
    if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        # A proxy in front is not to wait until there is more of it.
        answer.headers["X-Accel-Buffering"] = "no"
        body = answer.body_iterator  # type: ignore[attr-defined]
        answer.body_iterator = _while_admitted(request, body)  # type: ignore[attr-defined]
    return answer


async def _while_admitted(request: Request, body: AsyncIterable[Any]) -> AsyncIterator[Any]:
    """End a stream with the session that it was begun in."""
    async for chunk in body:
        if not await request.app.state.guard.still_admits(request):
            return
        yield chunk


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, FairwayError)
    return _told(request, error, _STATUS.get(error.exit_code, 502))


def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _told(request, Invalid("there is no such page", hint="the pages are listed at the top"), 404)
    return _told(request, Invalid(str(error.detail)), error.status_code)


def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
    return _told(request, Invalid("the request cannot be understood", why=wrong), 422)


def _told(request: Request, error: FairwayError, status_code: int) -> Response:
    if request.scope["path"].startswith("/api/"):
        return JSONResponse({"error": error.as_json()}, status_code)
    return page(request, "error.html", status_code=status_code, error=error)
