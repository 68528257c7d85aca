"""The way in by OpenID Connect: the provider that a team has already says who somebody is.

The authorization code flow with PKCE, state and nonce, by Authlib. What is remembered of
somebody on their way to the provider stays here; their browser has the key to it, and it
opens once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from joserfc.errors import JoseError

from fairway.config.dashboard import Oidc
from fairway.dashboard.access.answers import refusal
from fairway.dashboard.access.people import Admitted, Person
from fairway.dashboard.access.sessions import Sessions
from fairway.dashboard.access.viewers import Viewers
from fairway.dashboard.rendering import page

_SIGN_IN = "/sign-in"
_CALLBACK = "/sign-in/callback"
_SESSION_S = 8 * 3600.0
_ON_THE_WAY_S = 600.0
_TIMEOUT_S = 10.0
_SIGNED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
#: What a provider, or somebody in its place, can make go wrong.
_TROUBLE = (
    *(AuthlibBaseError, JoseError, httpx2.HTTPError, httpx2.InvalidURL),
    *(AttributeError, KeyError, RuntimeError, TypeError, ValueError),
)


@dataclass(frozen=True)
class _Attempt:
    """Somebody on their way: what Authlib remembers, and the page that they wanted."""

    to: str
    data: dict[str, Any] = field(default_factory=dict, repr=False)


class _Untrue(ValueError):
    """The provider contradicts itself, or the configuration."""


class OidcAccess:
    """Lets in whom the provider vouches for, if they may look. The service is not the person: nobody acts."""

    def __init__(
        self,
        origin: str,
        settings: Oidc,
        secret: str,
        viewers: Viewers,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._origin = origin
        self._issuer = settings.issuer
        self._client_id = settings.client_id
        self._viewers = viewers
        secure = origin.startswith("https://")
        self._cookie = {"httponly": True, "samesite": "lax", "secure": secure, "path": "/"}
        self._name = "__Host-fairway" if secure else "fairway"
        self._sessions: Sessions[Person] = Sessions(_SESSION_S)
        self._attempts: Sessions[_Attempt] = Sessions(_ON_THE_WAY_S, at_most=10_000)
        self._provider = OAuth().register(
            "provider",
            client_id=settings.client_id,
            client_secret=secret,
            server_metadata_url=settings.issuer.rstrip("/") + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": " ".join(settings.scopes),
                "code_challenge_method": "S256",
                "timeout": _TIMEOUT_S,
                **({"transport": transport} if transport is not None else {}),
            },
        )

    @property
    def origins(self) -> frozenset[str]:
        """The name that the team has given it."""
        return frozenset({self._origin})

    async def admit(self, request: Request) -> Admitted | Response:
        """Let in by cookie; whoever has none is sent to the provider."""
        path = request.scope["path"]
        if request.method == "GET" and path == _SIGN_IN:
            return await self._begin(request)
        if request.method == "GET" and path == _CALLBACK:
            return await self._finish(request)
        session = request.cookies.get(self._name, "")
        person = self._sessions.get(session)
        if person is not None:
            return Admitted(person, session)
        if request.method != "GET" or path.startswith(("/api/", "/parts/", "/events")):
            return refusal(request, 401, "You are not signed in.", way_in=_SIGN_IN)
        query = request.scope["query_string"].decode("latin-1")
        return RedirectResponse(f"{_SIGN_IN}?to={quote(path + ('?' + query if query else ''), safe='')}", 303)

    def leave(self, request: Request, admitted: Admitted) -> Response:
        """End the session of this browser; at the provider it goes on."""
        self._sessions.end(admitted.session)
        hint = "The provider may still know you, and then signs you in again without a word."
        answer = page(request, "door.html", what="You are signed out.", hint=hint, way_in=_SIGN_IN)
        answer.delete_cookie(self._name, **self._cookie)  # type: ignore[arg-type]
        return answer

    async def _begin(self, request: Request) -> Response:
        attempt = _Attempt(own_path(request.query_params.get("to", "/")))
        request.scope["session"] = attempt.data
        try:
            await self._know_provider()
            answer: Response = await self._provider.authorize_redirect(request, self._origin + _CALLBACK)
        except _TROUBLE as error:
            return _went_wrong(request, error)
        key = self._attempts.begin(attempt)
        answer.set_cookie(self._name + "-sign-in", key, max_age=int(_ON_THE_WAY_S), **self._cookie)  # type: ignore[arg-type]
        return answer

    async def _finish(self, request: Request) -> Response:
        attempt = self._attempts.end(request.cookies.get(self._name + "-sign-in", ""))
        if attempt is None:
            what = "This sign-in was not begun in this browser, or too long ago, or it was finished already."
            return refusal(request, 400, what, way_in=_SIGN_IN)
        request.scope["session"] = attempt.data
        try:
            name = self._viewers.name_of(await self._claims(request))
        except _TROUBLE as error:
            return _went_wrong(request, error)
        if name is None:
            what = "You may not look at this dashboard."
            hint = "The team has a list of who may, by verified e-mail address or by group."
            return refusal(request, 403, what, hint, way_in=_SIGN_IN)
        answer = RedirectResponse(attempt.to, 303)
        session = self._sessions.begin(Person(name))
        answer.set_cookie(self._name, session, max_age=int(_SESSION_S), **self._cookie)  # type: ignore[arg-type]
        answer.delete_cookie(self._name + "-sign-in", **self._cookie)  # type: ignore[arg-type]
        return answer

    async def _know_provider(self) -> None:
        """Read what the provider says of itself. Raises ``_Untrue`` when it is not the one that was meant."""
        metadata = await self._provider.load_server_metadata()
        if metadata.get("issuer") != self._issuer:
            raise _Untrue("the provider calls itself by another name than dashboard.oidc.issuer")
        known = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        # Not "none", and nothing that the secret of this one client could sign.
        metadata["id_token_signing_alg_values_supported"] = [one for one in known if one in _SIGNED]

    async def _claims(self, request: Request) -> Mapping[str, Any]:
        """Return what the provider says of who comes back from it, once all of it is checked."""
        await self._know_provider()
        options = {
            "iss": {"essential": True, "value": self._issuer},
            "aud": {"essential": True, "value": self._client_id},
            "sub": {"essential": True},
            "exp": {"essential": True},
        }
        token = await self._provider.authorize_access_token(request, claims_options=options)
        claims = token.get("userinfo")
        if not claims:
            raise _Untrue("the provider does not say who it is")
        if "userinfo_endpoint" in self._provider.server_metadata:
            # Most say only here what the address for mail is.
            more = await self._provider.userinfo(token=token)
            if more.get("sub") != claims["sub"]:
                raise _Untrue("the provider speaks of two people")
            claims = {**more, **claims}
        return claims  # type: ignore[no-any-return]


def own_path(to: str) -> str:
    """Return where to go after the sign-in: a page of the dashboard, whatever was asked for."""
    plain = to.startswith("/") and not to.startswith(("//", "/sign-in")) and "\\" not in to and to.isprintable()
    return quote(to, safe="/?&=%:@!$'()*+,;~-._") if plain else "/"


def _went_wrong(request: Request, error: Exception) -> Response:
    """Say that it did, and of the reason what is Authlib's own or ours: the rest is written by others."""
    why = str(error) if isinstance(error, _Untrue) else type(error).__name__
    return refusal(request, 502, "The sign-in did not work.", f"Reason: {why}.", way_in=_SIGN_IN)
