"""The routes a machine asks: health, readiness, live updates."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from capakraken.readiness import checks_for, examine
from capakraken.sse.event_bus import encode
from capakraken.web.common import Services, current_user, services


async def health(request: Request) -> Response:
    """Answer while the process lives."""
    settings = services(request).settings
    return JSONResponse({"status": "alive", "release": settings.release, "slot": settings.slot})


async def ready(request: Request) -> Response:
    """Answer 200 when this process may take traffic, 503 with the failing checks when not."""
    here = services(request)
    found = await examine(checks_for(here.engine, here.redis))
    return JSONResponse(found.as_json(), status_code=200 if found.ready else 503)


async def timeline_events(request: Request) -> Response:
    """Stream the changes that concern the signed-in user; the request has no say in which."""
    user = current_user(request)
    if user is None:
        return JSONResponse({"error": "sign in first"}, status_code=401)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(services(request), user.id), media_type="text/event-stream", headers=headers)


async def _stream(here: Services, user_id: int) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    events = here.bus.events_for(user_id)
    stopping = asyncio.create_task(here.stopping.wait())
    coming = asyncio.create_task(anext(events))
    try:
        while True:
            await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                # The browser comes back by itself, to a process that stays.
                yield b"event: bye\ndata: {}\n\n"
                return
            event = coming.result()
            coming = asyncio.create_task(anext(events))
            yield encode(event) if event is not None else b": quiet\n\n"
    finally:
        stopping.cancel()
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
            await coming
        await events.aclose()
