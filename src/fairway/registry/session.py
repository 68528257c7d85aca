"""One registry's conversation: where it is, the login, redirects, retries."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx

from fairway.engine.contract.errors import Failed, FairwayError, Unreachable
from fairway.registry import tls
from fairway.registry.auth import Authenticator
from fairway.registry.credentials import Credentials
from fairway.registry.failures import NotTls, Transient, status_failure
from fairway.registry.headers import lacks_right
from fairway.registry.http import Answer, Http, asked_wait_s

T = TypeVar("T")

_MAX_REDIRECTS = 5
_SMALL_BYTES = 64 * 1024
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3})(?::[0-9]+)?")
# Docker Hub's images are named for a host that holds none; the second is what old tools call it.
_HOSTS = dict.fromkeys(("docker.io", "index.docker.io"), "registry-1.docker.io")


class Session:
    """Sends requests to one registry and sees them through to an answer.

    A login goes to the registry itself and its token server only, never along a
    redirect or a link.
    """

    def __init__(
        self,
        registry: str,
        credentials: Credentials | None,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.registry = registry
        context = tls.context(registry, tls.docker_certificate_directories())
        self._http = Http(registry, context, transport=transport, sleep=sleep)
        self._auth = Authenticator(registry, credentials, self._http)
        self._known_origin: httpx.URL | None = None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def persistently(self, attempt: Callable[[], T]) -> T:
        """Run an attempt again as long as it fails in a way that may pass, see ``Http.persistently``."""
        return self._http.persistently(attempt)

    def ask(
        self,
        method: str,
        target: str | httpx.URL,
        *,
        scope: str,
        action: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limit_bytes: int = _SMALL_BYTES,
    ) -> Answer:
        """Send a request until it is answered, see ``Http.persistently``."""
        return self._http.persistently(
            lambda: self.attempt(
                method,
                self.url(target),
                scope,
                action,
                headers=headers,
                content=content,
                limit_bytes=limit_bytes,
            )
        )

    def attempt(
        self,
        method: str,
        url: httpx.URL,
        scope: str,
        action: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limit_bytes: int = _SMALL_BYTES,
    ) -> Answer:
        """Send a request once, logging in and following redirects on the way."""
        origin = self.url("/v2/")
        challenged = False
        redirects = 0
        while True:
            mine = same_origin(url, origin)
            sent = {**(headers or {}), **(self._auth.header(scope) if mine else {})}
            try:
                answer = self._http.exchange(method, url, headers=sent, content=content, limit_bytes=limit_bytes)
            except NotTls:
                raise self._not_tls() from None
            if answer.status == 401 and mine and not challenged:
                challenged = True
                if self._auth.answer(answer, scope, action):
                    continue
            if answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                redirects += 1
                url = self._redirected(method, answer)
                if redirects <= _MAX_REDIRECTS:
                    continue
                raise self.lie("it redirects in a circle")
            if answer.status == 429 or answer.status >= 500:
                raise Transient(self.refusal(answer, action), asked_wait_s(answer.headers))
            return answer

    def _not_tls(self) -> Unreachable:
        return Unreachable(
            f"the registry {self.registry} does not speak TLS",
            why="plain HTTP is spoken to this machine only: a password would cross the network readable",
            hint="give it a certificate, and put its authority in /etc/docker/certs.d if it is your own",
        )

    def _redirected(self, method: str, answer: Answer) -> httpx.URL:
        url = self.joined(answer.url, answer.headers["Location"])
        if method not in ("GET", "HEAD") and answer.status not in (307, 308):
            raise self.lie(f"it redirects a {method} with {answer.status}")
        return url

    def joined(self, base: httpx.URL, location: str) -> httpx.URL:
        """Resolve a ``Location`` or ``Link`` against where it came from; never from TLS to plain HTTP."""
        try:
            url = base.join(location)
        except httpx.InvalidURL:
            raise self.lie("it sent an address that cannot be used") from None
        if url.scheme != "https" and not (url.scheme == "http" and base.scheme == "http"):
            raise Failed(
                f"the registry {self.registry} leads from TLS to plain {url.scheme[:10]}",
                hint="its proxy must pass on X-Forwarded-Proto, or its external address must be set",
            )
        return url

    def url(self, target: str | httpx.URL) -> httpx.URL:
        """Return the whole address of a path at this registry; a whole address stays as it is."""
        if self._known_origin is None:
            self._known_origin = self._find_origin()
        return target if isinstance(target, httpx.URL) else self._known_origin.join(target)

    def _find_origin(self) -> httpx.URL:
        host = _HOSTS.get(self.registry, self.registry)
        secure = httpx.URL(f"https://{host}/")
        if _LOOPBACK.fullmatch(self.registry):
            try:
                self._http.exchange("GET", secure.join("/v2/"), headers={}, limit_bytes=_SMALL_BYTES)
            except NotTls:
                return secure.copy_with(scheme="http")
        return secure

    def refusal(self, answer: Answer, action: str) -> FairwayError:
        """Return the error that a refusing answer means; ``action`` completes "to ..."."""
        # Docker Hub and GitLab give everyone a token; that it may do nothing shows only when it is used.
        status = 403 if answer.status == 401 and lacks_right(answer.headers.get_list("WWW-Authenticate")) else None
        return status_failure(
            status or answer.status, answer.body, registry=self.registry, action=action, logged_in=self._auth.logged_in
        )

    def lie(self, why: str) -> Failed:
        """Return the error for an answer that cannot be true."""
        return Failed(
            f"the registry {self.registry} is not to be believed",
            why=why,
            hint="what it holds, or a proxy in between, altered the content; nothing was used",
        )


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Say whether two addresses have the same scheme, host and port."""

    def origin(url: httpx.URL) -> tuple[str, str, int | None]:
        return url.scheme, url.host, url.port or {"https": 443, "http": 80}.get(url.scheme)

    return origin(one) == origin(other)
