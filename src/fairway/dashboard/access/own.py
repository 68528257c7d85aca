"""The way in for the person who started the dashboard on their own machine.

A token in the address lets in whoever has it, once: then it is void, wherever the address
was left (a browser's history, a list of processes), and the terminal shows the next one.
What stays is a cookie of that browser.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from fairway.dashboard.access.answers import refusal
from fairway.dashboard.access.peer import is_somebody_else
from fairway.dashboard.access.people import Admitted, Person
from fairway.dashboard.access.sessions import Sessions
from fairway.dashboard.rendering import page

_SESSION_S = 12 * 3600.0
_TOKEN_S = 12 * 3600.0
_BACK = "Open the newest address in the terminal where fairway ui runs: each works once."


class OwnAccess:
    """Lets in who has a token that was not used yet, as the person whose machine this is."""

    def __init__(self, person: str, port: int, *, used: Callable[[], None] = lambda: None) -> None:
        self._person = Person(person, acts=True)
        # Every port of a machine shares its cookies.
        self._cookie = f"fairway-{port}"
        self._origins = frozenset({f"http://127.0.0.1:{port}", f"http://localhost:{port}"})
        if port == 80:
            self._origins |= {"http://127.0.0.1", "http://localhost"}
        self._used = used
        self._tokens: Sessions[bool] = Sessions(_TOKEN_S, at_most=20)
        self._sessions: Sessions[Person] = Sessions(_SESSION_S, at_most=100)

    @property
    def origins(self) -> frozenset[str]:
        """This machine, by its two names."""
        return self._origins

    def new_token(self) -> str:
        """Return a token for an address; it works once."""
        return self._tokens.begin(True)

    async def admit(self, request: Request) -> Admitted | Response:
        """Let in by cookie; a token in the address is exchanged for one."""
        if _is_anothers(request):
            hint = "It answers the user who has started it."
            return refusal(request, 403, "This dashboard belongs to another user of this machine.", hint)
        session = request.cookies.get(self._cookie, "")
        person = self._sessions.get(session)
        if request.method == "GET" and "token" in request.query_params:
            if self._tokens.end(request.query_params["token"]) is not None:
                return self._enter(request)
            if person is not None:
                # An address that this very browser has used before: it is taken out of sight.
                return RedirectResponse("/", 303)
        return Admitted(person, session) if person is not None else _shut(request)

    def leave(self, request: Request, admitted: Admitted) -> Response:
        """End the session of this browser."""
        self._sessions.end(admitted.session)
        answer = page(request, "door.html", what="You are signed out.", hint=_BACK, way_in="")
        answer.delete_cookie(self._cookie, httponly=True, samesite="strict")
        return answer

    def _enter(self, request: Request) -> Response:
        # No redirect: a strict cookie does not go with one that began on another site, or in a file.
        answer = page(request, "enter.html")
        session = self._sessions.begin(self._person)
        answer.set_cookie(self._cookie, session, max_age=int(_SESSION_S), httponly=True, samesite="strict")
        answer.headers["Referrer-Policy"] = "no-referrer"
        self._used()
        return answer


def _is_anothers(request: Request) -> bool:
    client, server = request.scope.get("client"), request.scope.get("server")
    # The dashboard of a person listens on the loopback alone.
    if client is None or server is None or not client[0].startswith("127."):
        return False
    return is_somebody_else(tuple(client), tuple(server))


def _shut(request: Request) -> Response:
    return refusal(request, 401, "You are not signed in.", _BACK)
