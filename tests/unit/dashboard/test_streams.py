"""Streams of events: what they leave to everybody else, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.unit.dashboard.hosts import Host, Journal, Onlooker, make_app
from tests.unit.dashboard.journals import ID, TO_SWITCH, accepted

# As many as there are threads for pages, and some.
_MANY = 60


class Caller:
    """Asks for one address, as a server hands it to the application; goes when told to."""

    def __init__(self, app: FastAPI, path: str) -> None:
        self.status = 0
        self.body = b""
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()
        self._asked = False
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        if self.body:
            self.begun.set()


def _try(tmp_path: Path, host: Host, story: Callable[[FastAPI], Awaitable[None]]) -> None:
    async def run() -> None:
        app = make_app(tmp_path, {"staging": host, "production": Host()}, Onlooker())
        async with app.router.lifespan_context(app):
            await asyncio.wait_for(story(app), 30)

    asyncio.run(run())


def test_pages_that_are_open_hold_no_thread_that_another_page_needs(tmp_path: Path) -> None:
    async def story(app: FastAPI) -> None:
        streams = [Caller(app, "/events") for _ in range(_MANY)]
        for one in streams:
            await one.begun.wait()
        pages = [Caller(app, "/") for _ in range(3)]
        # Sooner than an idle stream says that it is still there.
        await asyncio.wait_for(asyncio.gather(*(one.task for one in pages)), 5)
        assert [one.status for one in pages] == [200, 200, 200]
        for one in streams:
            one.gone.set()
        await asyncio.gather(*(one.task for one in streams))
        assert app.state.desk.streams._open == 0

    _try(tmp_path, Host(), story)


@pytest.mark.parametrize("path", ["/events", f"/events/deployments/staging/{ID}"])
def test_streams_end_at_once_with_the_dashboard_and_tell_no_end_of_a_deployment(tmp_path: Path, path: str) -> None:
    host = Host()
    host.journals[ID] = Journal(accepted(), *TO_SWITCH)

    async def story(app: FastAPI) -> None:
        stream = Caller(app, path)
        await stream.begun.wait()
        app.state.desk.observers.hang_up()
        await asyncio.wait_for(stream.task, 5)
        assert b"ended" not in stream.body

    _try(tmp_path, host, story)


def test_the_pages_of_every_environment_take_their_places_from_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairway.dashboard.streams.MOST", 2)

    async def story(app: FastAPI) -> None:
        streams = [Caller(app, "/events") for _ in range(2)]
        for one in streams:
            await one.begun.wait()
        late = Caller(app, "/events")
        await late.task
        assert late.status == 409
        for one in streams:
            one.gone.set()
        await asyncio.gather(*(one.task for one in streams))

    _try(tmp_path, Host(), story)
