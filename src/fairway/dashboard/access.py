"""Who is let in: never anybody by default."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

_COOKIE = "fairway"


@dataclass(frozen=True)
class Person:
    """Who looks. ``acts`` says that the dashboard runs as this person, with their keys and rights."""

    name: str
    acts: bool = False


class Access(Protocol):
    """Tells who a request is from."""

    def admit(self, request: Request) -> Person | Response:
        """Return who it is, or the answer for somebody who is not let in (yet)."""
        ...


@dataclass(frozen=True)
class OwnAccess:
    """For the person who started the dashboard on their own machine: whoever has the address with the token."""

    person: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def admit(self, request: Request) -> Person | Response:
        """Let in by cookie; the token in the address is exchanged for one."""
        if hmac.compare_digest(request.query_params.get("token", "").encode(), self.token.encode()):
            answer = RedirectResponse(request.url.path, status_code=303)
            answer.set_cookie(_COOKIE, self.token, httponly=True, samesite="strict")
            return answer
        if hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), self.token.encode()):
            return Person(self.person, acts=True)
        return Response("Open the address that fairway ui has printed: it holds the token.\n", 401)
