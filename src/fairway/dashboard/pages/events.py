"""Tell an open page that something may be new; it then asks for the part it shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from fairway.dashboard.desk import DeskOf

router = APIRouter()
# So often a page that is gone is noticed, and one that is there is told so.
_BEAT_S = 15.0
_LOOK_S = 0.2


@router.get("/events", include_in_schema=False)
async def events(request: Request, desk: DeskOf) -> StreamingResponse:
    """Send ``changed`` whenever a host was heard, as server-sent events."""

    async def stream() -> AsyncIterator[str]:
        told, beat = -1, monotonic()
        while not (desk.observers.hung_up or await request.is_disconnected()):
            for observer in desk.observers.each.values():
                observer.want()
            version, late = desk.observers.version, monotonic() - beat > _BEAT_S
            if version != told or late:
                yield f"event: changed\ndata: {version}\n\n" if version != told else ": still here\n\n"
                told, beat = version, monotonic()
            await asyncio.sleep(_LOOK_S)

    return desk.streams.answer(stream())
