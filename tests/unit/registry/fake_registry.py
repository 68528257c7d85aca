"""A registry in memory, for the decisions of its client; real ones are met in ``tests/host``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx

from fairway.engine.contract.names import Digest, Repository
from fairway.registry import Access, Credentials, RegistryClient

HOST = "registry.example.com"
APP = Repository(f"{HOST}/acme/app")
_ROUTE = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs/uploads|blobs|tags/list)/?(?P<rest>[^/]*)")

Handler = Callable[[httpx.Request], httpx.Response | None]


class Whole(httpx.SyncByteStream):
    """A body that is sent in one piece, as it is."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content


class FakeRegistry:
    """Answers as the specification says; ``before`` may answer first, and so misbehave."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self.connected: list[tuple[str, Access]] = []
        self.before: Handler = lambda request: None

    def client(
        self, credentials: Credentials | None = None, registry: str = HOST, access: Access = Access.PULL
    ) -> RegistryClient:
        """Return a client of this registry that never really waits."""
        transport = httpx.MockTransport(self._handle)
        return RegistryClient(registry, credentials, access=access, transport=transport, sleep=self.waits.append)

    def connect(self, registry: str, access: Access) -> RegistryClient:
        """Stand in for ``fairway.registry.connect``."""
        self.connected.append((registry, access))
        return self.client(registry=registry, access=access)

    @property
    def log(self) -> list[str]:
        """The requests so far, ``METHOD path``."""
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = self.before(request) or self._answer(request)
        if response.is_stream_consumed:  # given as a whole, to be sent as often as it is asked for
            headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"transfer-encoding"]
            return httpx.Response(response.status_code, headers=headers, stream=Whole(response.content))
        return response

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v2/":
            return httpx.Response(200)
        route = _ROUTE.fullmatch(request.url.path)
        assert route is not None, request.url
        name, kind, rest = route["name"], route["kind"], route["rest"]
        if kind == "tags/list":
            tags = [tag for repository, tag in self.manifests if repository == name and ":" not in tag]
            return httpx.Response(200, json={"name": name, "tags": tags}) if tags else httpx.Response(404)
        if kind == "blobs/uploads":
            if request.method == "POST":
                return httpx.Response(202, headers={"Location": f"/v2/{name}/blobs/uploads/7?state=a%2Bb%3D"})
            assert request.url.query.startswith(b"state=a%2Bb%3D&digest=")
            self.blobs[Digest.of(request.content)] = request.content
            return httpx.Response(201, headers={"Docker-Content-Digest": Digest.of(request.content)})
        if kind == "blobs":
            blob = self.blobs.get(rest)
            return httpx.Response(200, content=blob) if blob is not None else httpx.Response(404)
        if request.method == "PUT":
            digest = Digest.of(request.content)
            for reference in (rest, digest):
                self.manifests[name, reference] = (request.headers["Content-Type"], request.content)
            return httpx.Response(201, headers={"Docker-Content-Digest": digest})
        stored = self.manifests.get((name, rest))
        if stored is None:
            return httpx.Response(404, json={"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]})
        headers = {"Content-Type": stored[0], "Docker-Content-Digest": Digest.of(stored[1])}
        return httpx.Response(200, headers=headers, content=stored[1])
