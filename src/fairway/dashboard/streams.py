"""Those who are told as it comes, by server-sent events: so many at most."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse

from fairway.engine.contract.errors import Refused

MOST = 100


class Streams:
    """Counts the streams that are open; it is used by the event loop alone.

    ``lines`` are to hold no thread while there is nothing to tell: pages need those.
    """

    def __init__(self) -> None:
        self._open = 0

    def answer(self, lines: AsyncIterator[str]) -> StreamingResponse:
        """Return a stream. Raises ``Refused`` when there are so many."""
        if self._open >= MOST:
            raise Refused("too many look on already", why=f"{MOST} at most are told as it comes")
        return StreamingResponse(self._counted(lines), media_type="text/event-stream")

    async def _counted(self, lines: AsyncIterator[str]) -> AsyncIterator[str]:
        self._open += 1
        try:
            # Some may have been let in together, for the last place.
            if self._open <= MOST:
                async for line in lines:
                    yield line
        finally:
            self._open -= 1
