"""The web application: routes, who is let in, and what goes with every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

import fairway
from fairway.config import Config
from fairway.dashboard.access import Access, Person
from fairway.dashboard.asking import Asking
from fairway.dashboard.desk import Desk
from fairway.dashboard.observing import Observers
from fairway.dashboard.pages import ROUTERS
from fairway.dashboard.reach import Reach
from fairway.dashboard.rendering import HERE, page
from fairway.engine.contract.errors import FairwayError, Invalid, Refused

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
_STATUS = {Refused.exit_code: 409, Invalid.exit_code: 404}


def create_app(config: Config, reach: Reach, access: Access) -> FastAPI:
    """Return the dashboard of a project; it begins to ask the hosts when it is started."""
    observers = Observers(config.environment_order, reach.engine)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        observers.start()
        try:
            yield
        finally:
            await run_in_threadpool(observers.stop)

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
    app.state.desk = Desk(config, reach, observers, Asking(reach.engine), access)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    for router in ROUTERS:
        app.include_router(router)
    app.middleware("http")(_guarded)
    app.add_exception_handler(FairwayError, _failed)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(RequestValidationError, _not_valid)
    return app


async def _guarded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    answer = await _answered(request, go_on)
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


async def _answered(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
    if request.url.path.startswith("/static/"):
        answer = await go_on(request)
        answer.headers["Cache-Control"] = "private, max-age=300"
        return answer
    admitted = request.app.state.desk.access.admit(request)
    if not isinstance(admitted, Person):
        return admitted  # type: ignore[no-any-return]
    request.state.person = admitted
    return await go_on(request)


def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, FairwayError)
    return _told(request, error, _STATUS.get(error.exit_code, 502))


def _not_found(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _told(request, Invalid(str(error.detail)), error.status_code)


def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
    return _told(request, Invalid("the request cannot be understood", why=wrong), 422)


def _told(request: Request, error: FairwayError, status_code: int) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": error.as_json()}, status_code)
    return page(request, "error.html", status_code=status_code, error=error)
