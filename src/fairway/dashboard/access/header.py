"""The way in by a reverse proxy that people sign in at: it says who it is in a header.

A header is worth as much as the way that it came. So it counts on a unix socket only, which
nobody but the proxy can open, and never on a port, where anybody on the machine could write one.
"""

from __future__ import annotations

from fastapi import Request, Response

from fairway.dashboard.access.answers import refusal
from fairway.dashboard.access.people import Admitted, Person
from fairway.dashboard.access.viewers import Viewers, is_name


class HeaderAccess:
    """Lets in whom the proxy names, if they may look. The service is not the person: nobody acts."""

    def __init__(self, origin: str, header: str, viewers: Viewers) -> None:
        self._origins = frozenset({origin})
        self._header = header
        self._viewers = viewers

    @property
    def origins(self) -> frozenset[str]:
        """The name that the team has given it."""
        return self._origins

    async def admit(self, request: Request) -> Admitted | Response:
        """Let in by the header."""
        if not _came_by_socket(request):
            return refusal(request, 403, "The dashboard takes nobody's word for who you are here.")
        named = request.headers.getlist(self._header)
        if len(named) != 1 or not is_name(named[0]):
            return refusal(request, 401, "You are not signed in.", "Sign in at the proxy in front of the dashboard.")
        if not self._viewers.has(named[0]):
            return refusal(request, 403, "You may not look at this dashboard.", "The team has a list of who may.")
        return Admitted(Person(named[0]), f"named {named[0]}", leaves=False)

    def leave(self, request: Request, admitted: Admitted) -> Response:
        """Say where to sign out: it is not here."""
        return refusal(request, 404, "Sign out at the proxy in front of the dashboard.")


def _came_by_socket(request: Request) -> bool:
    # As uvicorn tells it: a socket has a path and no port, and whoever comes by it has no address.
    server = request.scope.get("server")
    return request.scope.get("client") is None and server is not None and server[1] is None
