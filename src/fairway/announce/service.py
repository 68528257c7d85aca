"""The one module here that speaks HTTP: a service's JSON, within limits, and its refusals in words."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from fairway import __version__
from fairway.announce.model import TIMEOUT_S
from fairway.engine.contract.errors import Failed, Invalid, Unreachable

_MAX_ANSWER_BYTES = 1024 * 1024
_WAIT_S = 0.5
_HTTPS = re.compile(r"https://[^/\s@?#]+(/[^\s@?#]*)?")
_HERE = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?(/|$)")
# What a proxy or a service that is being restarted says, and what is over soon.
_SOON_OVER = frozenset({429, 500, 502, 503, 504})


def address(value: str, variable: str) -> str:
    """Check a service's address, which gets a token. Raises ``Invalid``."""
    text = value.strip().rstrip("/")
    if not _HTTPS.fullmatch(text) and not _HERE.match(text):
        raise Invalid(f"{variable} is not an address that begins with https://")
    return text


class Service:
    """A service's interface under one address; use it in a ``with`` block."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        import httpx

        from fairway.registry.tls import context

        self._url = url
        self._client = httpx.Client(
            verify=context("", ()),
            timeout=TIMEOUT_S,
            follow_redirects=False,
            headers={"User-Agent": f"fairway/{__version__}", "Accept": "application/json", **headers},
        )

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *raised: object) -> None:
        self._client.close()

    def create(self, path: str, document: Mapping[str, Any], *, to: str) -> Any:
        """Send a document that makes something, once; return what the service answers.

        ``to`` completes "to ...": "create a deployment". Goes a second time only where the
        first did not come to a connection. Raises ``FairwayError``.
        """
        return self._post(path, document, to, frozenset())

    def state(self, path: str, document: Mapping[str, Any], *, to: str) -> Any:
        """Do as :meth:`create` does for what may be said twice: a service that fails by itself is asked again."""
        return self._post(path, document, to, _SOON_OVER)

    def _post(self, path: str, document: Mapping[str, Any], to: str, again: frozenset[int]) -> Any:
        import httpx

        try:
            try:
                status, body = self._exchange(path, document)
            except httpx.ConnectError:
                status, body = None, b""
            if status is None or status in again:
                time.sleep(_WAIT_S)
                status, body = self._exchange(path, document)
        except httpx.TimeoutException:
            raise Unreachable(f"no answer within {TIMEOUT_S:g} s, to {to}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"not to be reached, to {to}", why=type(error).__name__) from None
        if not 200 <= status < 300:
            raise Failed(f"answered {status}, to {to}", why=_message(body))
        try:
            return json.loads(body) if body else None
        except ValueError:
            raise Failed(f"gave an answer that is not JSON, to {to}") from None

    def _exchange(self, path: str, document: Mapping[str, Any]) -> tuple[int, bytes]:
        deadline, body = time.monotonic() + TIMEOUT_S, b""
        with self._client.stream("POST", f"{self._url}/{path}", json=dict(document)) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _MAX_ANSWER_BYTES or time.monotonic() > deadline:
                    break
        return response.status_code, body


def _message(body: bytes) -> str:
    """Return what a refusal says, as far as it is printable and short."""
    from fairway.registry.failures import printable

    try:
        document = json.loads(body)
    except ValueError:
        return ""
    told = document.get("message") or document.get("detail") if isinstance(document, dict) else None
    return printable(told) if isinstance(told, str) else ""
