"""Log in the way a registry asks for: basic, or a token from its token server.

Source: https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx

from fairway.engine.contract.errors import Failed
from fairway.registry.credentials import Credentials
from fairway.registry.failures import Transient, status_failure
from fairway.registry.headers import Challenge, parse_challenges
from fairway.registry.http import Answer, Http, asked_wait_s

_MAX_TOKEN_BYTES = 256 * 1024
_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")
_CLIENT = "fairway"


class Authenticator:
    """Holds what to send in ``Authorization``: one value for all, or a token a scope.

    A scope is what a token is for, such as ``repository:acme/app:pull``.
    """

    def __init__(self, registry: str, credentials: Credentials | None, http: Http) -> None:
        self._registry = registry
        self._credentials = credentials
        self._http = http
        self._known: dict[str, str] = {}
        self._basic: str | None = None

    @property
    def logged_in(self) -> bool:
        """Whether there are credentials to answer a challenge with."""
        return self._credentials is not None

    def header(self, scope: str) -> dict[str, str]:
        """Return the ``Authorization`` field that worked for this scope, if one did."""
        value = self._known.get(scope) or self._basic
        return {"Authorization": value} if value else {}

    def answer(self, refused: Answer, scope: str, action: str) -> bool:
        """Answer a 401's challenge; say whether there is something new to try.

        Raises ``Failed`` when the token server refuses the login.
        """
        old = self._known.pop(scope, None) or self._basic
        for challenge in parse_challenges(", ".join(refused.headers.get_list("WWW-Authenticate"))):
            value: str | None = None
            if challenge.scheme == "basic" and self._credentials and self._credentials.password:
                value = self._basic = self._credentials.basic
            elif challenge.scheme == "bearer":
                value = "Bearer " + self._fetch_token(challenge, scope, action, secure=refused.url.scheme == "https")
            if value and value != old:
                self._known[scope] = value
                return True
        return False

    def _fetch_token(self, challenge: Challenge, scope: str, action: str, *, secure: bool) -> str:
        realm = self._realm(challenge.parameters, secure=secure)
        query = {"service": challenge.parameters.get("service", ""), "scope": scope}
        query = {key: value for key, value in query.items() if value}
        credentials = self._credentials
        if credentials and credentials.identity_token:
            form = {**query, "grant_type": "refresh_token", "client_id": _CLIENT}
            form["refresh_token"] = credentials.identity_token
            answer = self._http.exchange("POST", realm, headers={}, form=form, limit_bytes=_MAX_TOKEN_BYTES)
        else:
            headers = {"Authorization": credentials.basic} if credentials else {}
            url = realm.copy_merge_params(query)
            answer = self._http.exchange("GET", url, headers=headers, limit_bytes=_MAX_TOKEN_BYTES)
        if answer.status != 200:
            status = 401 if answer.status in (400, 401) else answer.status
            error = status_failure(
                status, answer.body, registry=self._registry, action=action, logged_in=self.logged_in
            )
            if answer.status == 429 or answer.status >= 500:
                raise Transient(error, asked_wait_s(answer.headers))
            raise error
        return self._token(answer.body)

    def _realm(self, parameters: Mapping[str, str], *, secure: bool) -> httpx.URL:
        try:
            realm = httpx.URL(parameters.get("realm", ""))
        except httpx.InvalidURL:
            realm = httpx.URL("")
        # The token server is given the login: over TLS, unless the registry is this machine's own without it.
        allowed = ("https",) if secure else ("https", "http")
        if realm.scheme not in allowed or not realm.host or realm.userinfo:
            raise Failed(
                f"the registry {self._registry} names a token server that is not to be trusted with a login",
                why="its address is not an https:// one",
            )
        return realm

    def _token(self, body: bytes) -> str:
        try:
            document: Any = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        fields = document if isinstance(document, dict) else {}
        for key in ("token", "access_token"):
            if isinstance(fields.get(key), str) and _TOKEN.fullmatch(fields[key]):
                return str(fields[key])
        raise Failed(f"the token server of {self._registry} answered without a token")
