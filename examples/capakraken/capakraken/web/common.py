"""What every page needs: the services of the process, the session, and the templates."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from itsdangerous import BadSignature, URLSafeTimedSerializer
from jinja2 import Environment, FileSystemLoader, select_autoescape
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from capakraken.auth import Role, User
from capakraken.settings import Settings
from capakraken.sse.event_bus import EventBus

COOKIE = "capakraken-session"
_SESSION_S = 12 * 3600

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates"), autoescape=select_autoescape(["html"])
)


@dataclass
class Services:
    """What a process has open: the database, Redis, the bus."""

    settings: Settings
    engine: AsyncEngine
    redis: Redis
    bus: EventBus
    serializer: URLSafeTimedSerializer
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def services(request: Request) -> Services:
    """Return the process's services."""
    found = request.app.state.services
    assert isinstance(found, Services)
    return found


def current_user(request: Request) -> User | None:
    """Return who is signed in, from the signed cookie alone."""
    try:
        claims = services(request).serializer.loads(request.cookies.get(COOKIE, ""), max_age=_SESSION_S)
        return User(int(claims["id"]), str(claims["email"]), Role(claims["role"]))
    except (BadSignature, KeyError, TypeError, ValueError):
        return None


def sign_in(request: Request, response: Response, user: User) -> None:
    """Give the browser a session."""
    here = services(request)
    value = here.serializer.dumps({"id": user.id, "email": user.email, "role": user.role.value})
    secure = here.settings.public_url.startswith("https://")
    response.set_cookie(COOKIE, value, max_age=_SESSION_S, httponly=True, samesite="lax", secure=secure)


def page(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """Render a page."""
    user = current_user(request)
    body = _templates.get_template(template).render(user=user, release=services(request).settings.release, **values)
    return HTMLResponse(body, status_code=status)


def to_sign_in() -> RedirectResponse:
    """Send the browser to the sign-in page."""
    return RedirectResponse("/sign-in", status_code=303)
