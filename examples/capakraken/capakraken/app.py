"""The web application, put together and served."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn
from itsdangerous import URLSafeTimedSerializer
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from capakraken.settings import Settings
from capakraken.sse.event_bus import EventBus
from capakraken.web import api, pages, secrets_page
from capakraken.web.common import Services

_KEEP_ALIVE_S = 75


class ReleaseHeader:
    """Says with every answer which release gave it."""

    def __init__(self, app: ASGIApp, release: str) -> None:
        self._app = app
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Release"] = self._release
            await send(message)

        await self._app(scope, receive, send_marked)


def make_services(settings: Settings) -> Services:
    """Open what a process needs; nothing connects before it is used."""
    engine = create_async_engine(settings.database_url, pool_size=5, max_overflow=5, pool_pre_ping=True, pool_timeout=5)
    redis = Redis.from_url(settings.redis_url, socket_connect_timeout=2)
    serializer = URLSafeTimedSerializer(settings.session_secret, salt="session")
    return Services(settings, engine, redis, EventBus(redis), serializer)


def make_app(services: Services) -> Starlette:
    """Return the application."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await services.engine.dispose()
        await services.redis.aclose()

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/", pages.timeline),
            Route("/allocations", pages.plan_hours, methods=["POST"]),
            Route("/sign-in", pages.sign_in_page, methods=["GET", "POST"]),
            Route("/sign-out", pages.sign_out, methods=["POST"]),
            Route("/admin/secrets", secrets_page.secrets_page),
            Route("/admin/secrets/clear", secrets_page.clear_secret, methods=["POST"]),
            Route("/api/health", api.health),
            Route("/api/ready", api.ready),
            Route("/api/sse/timeline", api.timeline_events),
        ],
    )
    app.state.services = services
    return app


class Server(uvicorn.Server):
    """Tells open streams to end before it waits for them."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._services.stopping.set()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> int:
    """Serve until SIGTERM: then finish what is being answered and end the streams."""
    services = make_services(settings)
    config = uvicorn.Config(
        ReleaseHeader(make_app(services), settings.release),
        host="0.0.0.0",  # noqa: S104 - a container's own network, published by whoever runs it
        port=settings.port,
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.stop_grace_s),
    )
    Server(config, services).run()
    return 0
