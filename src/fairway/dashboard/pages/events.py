"""Tell an open page that something may be new; it then asks for the part it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from fairway.dashboard.desk import DeskOf

router = APIRouter()
# So often a page that is gone is noticed, and one that is there is told so.
_BEAT_S = 15.0


@router.get("/events", include_in_schema=False)
async def events(request: Request, desk: DeskOf) -> StreamingResponse:
    """Send ``changed`` whenever a host was heard, as server-sent events."""

    async def stream() -> AsyncIterator[str]:
        version = -1
        while not (desk.observers.hung_up or await request.is_disconnected()):
            now = await run_in_threadpool(desk.observers.wait, version, _BEAT_S)
            yield f"event: changed\ndata: {now}\n\n" if now != version else ": still here\n\n"
            version = now
            for observer in desk.observers.each.values():
                observer.want()

    return StreamingResponse(stream(), media_type="text/event-stream")
