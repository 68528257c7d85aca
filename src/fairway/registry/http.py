"""The one module that speaks HTTP: one exchange at a time, bounded in size and time."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx

import fairway
from fairway.engine.contract.errors import Failed
from fairway.registry.failures import Transient, transport_failure
from fairway.registry.headers import retry_after_s

T = TypeVar("T")

MAX_ERROR_BYTES = 64 * 1024
ATTEMPTS = 5
_FIRST_WAIT_S = 0.25
_LONGEST_WAIT_S = 30.0
_PATIENCE_S = 20.0
_BODY_TIMEOUT_S = 600.0
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the header fields, and the body within its limit."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: httpx.URL


class Http:
    """A connection pool to one registry and the hosts it sends us to.

    Knows nothing of logins or redirects. ``transport`` and ``sleep`` are for tests.
    """

    def __init__(
        self,
        registry: str,
        tls: ssl.SSLContext,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._registry = registry
        self._sleep = sleep
        self._client = httpx.Client(
            verify=tls,
            timeout=_TIMEOUT,
            follow_redirects=False,
            transport=transport,
            # Bytes are counted and hashed as they come: nothing may be unpacked on the way.
            headers={"User-Agent": f"fairway/{fairway.__version__}", "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def exchange(
        self,
        method: str,
        url: httpx.URL,
        *,
        headers: Mapping[str, str],
        limit_bytes: int,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read the answer.

        A body of an answer below 300 may have ``limit_bytes``, another 64 KiB. Raises
        ``Transient`` for what may be over soon (429, 5xx, a broken connection),
        ``NotTls``, or the error to show.
        """
        try:
            request = self._client.build_request(method, url, headers=dict(headers), content=content, data=form)
            response = self._client.send(request, stream=True)
            try:
                ok = response.status_code < 300
                body = self._read(response, limit_bytes if ok else MAX_ERROR_BYTES, whole=ok)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise transport_failure(error, self._registry) from None
        return Answer(response.status_code, response.headers, body, url)

    def _read(self, response: httpx.Response, limit_bytes: int, *, whole: bool) -> bytes:
        if whole and response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise Failed(f"the registry {self._registry} packed an answer that was asked for as it is")
        deadline = time.monotonic() + _BODY_TIMEOUT_S
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > limit_bytes:
                if not whole:
                    return bytes(body[:limit_bytes])
                raise Failed(
                    f"the registry {self._registry} sent more than was asked for",
                    why=f"more than {limit_bytes} bytes",
                )
            if time.monotonic() > deadline:
                raise Failed(
                    f"the registry {self._registry} sends too slowly",
                    why=f"{len(body)} bytes in {_BODY_TIMEOUT_S:.0f} s",
                )
        return bytes(body)

    def persistently(self, attempt: Callable[[], T]) -> T:
        """Run an attempt up to five times, waiting longer each time, as long as it raises ``Transient``.

        The wait doubles from a quarter of a second, with jitter. A ``Retry-After`` goes
        before it, and one of more than 30 s ends it. So do attempts that have taken 20 s
        together: a registry that does not answer is reported, not asked again and again.
        """
        taken_s = 0.0
        for number in range(ATTEMPTS):
            started = time.monotonic()
            try:
                return attempt()
            except Transient as failure:
                taken_s += time.monotonic() - started
                wait_s = failure.wait_s
                if wait_s is None:
                    wait_s = _FIRST_WAIT_S * 2**number * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
                if number == ATTEMPTS - 1 or wait_s > _LONGEST_WAIT_S or taken_s > _PATIENCE_S:
                    raise failure.error from None
                self._sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")


def asked_wait_s(headers: httpx.Headers) -> float | None:
    """Return how long the server asks to wait, if it does."""
    return retry_after_s(headers["Retry-After"]) if "Retry-After" in headers else None
