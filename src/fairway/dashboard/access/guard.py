"""What stands before every request: which name it was asked under, who asks, and whether they meant to.

A browser sends its cookies along with what another site makes it ask. So whatever changes
something must come from a page of the dashboard's own: by what the browser says of it
(``Origin``, ``Sec-Fetch-Site``), and by a token that only such a page has.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from fairway.dashboard.access.answers import refusal
from fairway.dashboard.access.people import Access, Admitted

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_MAX_BODY_BYTES = 1024 * 1024
_PORTS = {"http": 80, "https": 443}
#: Where a program, or htmx, may put the token instead of into the form.
TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105


class Guard:
    """Lets a request through to the pages, or answers it."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._secret = secrets.token_bytes(32)

    async def stop(self, request: Request) -> Response | None:
        """Return why a request goes no further; None when it does, with its ``state`` filled in."""
        if not self._is_for_us(request):
            # Else another name could be made to mean this machine, and its pages read these.
            hint = f"It answers under {min(self._access.origins)}."
            return refusal(request, 400, "The dashboard is not to be found under this name.", hint)
        if _is_embedded_elsewhere(request):
            return refusal(request, 403, "Another site asked for this, not a person.")
        if request.scope["path"].startswith("/static/"):
            return None
        admitted = await self._access.admit(request)
        if isinstance(admitted, Response):
            return admitted
        token = self.token(admitted)
        request.state.person, request.state.csrf, request.state.leaves = admitted.person, token, admitted.leaves
        if request.method in _READS:
            return None
        if (answer := await self._is_forged(request, token)) is not None:
            return answer
        if request.scope["path"] == "/sign-out" and admitted.leaves:
            request.state.person = None
            return self._access.leave(request, admitted)
        return None

    async def still_admits(self, request: Request) -> bool:
        """Say whether whoever has begun this request would be let in now."""
        return isinstance(await self._access.admit(request), Admitted)

    def token(self, admitted: Admitted) -> str:
        """Return the token of a session's forms."""
        return hmac.new(self._secret, admitted.session.encode(), hashlib.sha256).hexdigest()

    def _is_for_us(self, request: Request) -> bool:
        names = request.headers.getlist("host")
        return len(names) == 1 and names[0].lower() in {host for one in self._access.origins for host in _hosts(one)}

    async def _is_forged(self, request: Request, token: str) -> Response | None:
        sites, origins = request.headers.getlist("sec-fetch-site"), request.headers.getlist("origin")
        if any(site != "same-origin" for site in sites) or any(one not in self._access.origins for one in origins):
            return refusal(request, 403, "This was sent by another site, so nothing was done.")
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdecimal() or int(length) > _MAX_BODY_BYTES:
            return refusal(request, 413, "This is longer than anything that a page of the dashboard sends.")
        if not hmac.compare_digest((await _sent_token(request)).encode(), token.encode()):
            return refusal(
                request,
                403,
                "The page that this was sent from is no longer valid, so nothing was done.",
                "Load it again.",
            )
        return None


async def _sent_token(request: Request) -> str:
    if TOKEN_HEADER in request.headers:
        return request.headers[TOKEN_HEADER]
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _FORMS:
        return ""
    # Read whole first: whoever comes after reads it again.
    await request.body()
    try:
        async with request.form() as form:
            sent = form.get("csrf", "")
    except HTTPException:
        return ""
    return "" if isinstance(sent, UploadFile) else sent


def _is_embedded_elsewhere(request: Request) -> bool:
    """Say whether a page of another site, or of another port, loads this into itself."""
    site, mode = request.headers.get("sec-fetch-site"), request.headers.get("sec-fetch-mode")
    return site in ("cross-site", "same-site") and mode != "navigate"


def _hosts(origin: str) -> tuple[str, ...]:
    """Return what a browser may put into the ``Host`` header for an origin."""
    parts = urlsplit(origin)
    if parts.port is not None:
        return (parts.netloc, parts.hostname or "") if parts.port == _PORTS[parts.scheme] else (parts.netloc,)
    return parts.netloc, f"{parts.netloc}:{_PORTS[parts.scheme]}"
