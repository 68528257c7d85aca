"""The peculiarities of registries: logins, pages, redirects, lies, faults."""

from __future__ import annotations

import base64
import socket
import ssl

import httpx
import pytest

from fairway.engine.contract.errors import Failed, FairwayError, Unreachable
from fairway.engine.contract.names import Digest
from fairway.registry import Access, Credentials, MediaType
from tests.unit.registry.fake_registry import APP, HOST, FakeRegistry, Whole

LOGIN = Credentials("robot", "hunter2")
BASIC = "Basic " + base64.b64encode(b"robot:hunter2").decode()
MANIFEST = b'{"schemaVersion":2}'


def stored(fake: FakeRegistry, tag: str = "sha-4f2a9c1", content: bytes = MANIFEST) -> Digest:
    for reference in (tag, Digest.of(content)):
        fake.manifests[APP.path, reference] = (MediaType.OCI_MANIFEST, content)
    return Digest.of(content)


def message(error: FairwayError) -> str:
    assert "hunter2" not in str(error)
    return str(error)


# --- logins


def test_a_basic_challenge_is_answered_once_for_all_requests(fake: FakeRegistry) -> None:
    def before(request: httpx.Request) -> httpx.Response | None:
        if request.headers.get("Authorization") != BASIC:
            return httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        return None

    fake.before = before
    stored(fake)
    client = fake.client(LOGIN)
    assert client.head_manifest(APP, "sha-4f2a9c1") is not None
    client.put_blob(APP, b"content")
    assert fake.log[:3] == ["HEAD /v2/acme/app/manifests/sha-4f2a9c1"] * 2 + [
        f"HEAD /v2/acme/app/blobs/{Digest.of(b'content')}"
    ]


class TokenServer:
    """A registry that wants tokens, and the server that gives them."""

    def __init__(self, realm: str = f"https://auth.example.com/token?account=x&q={HOST}") -> None:
        self.realm = realm
        self.valid: set[str] = set()
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/token":
            self.asked.append(request)
            self.valid.add(f"Bearer t{len(self.asked)}")
            return httpx.Response(200, json={"token": f"t{len(self.asked)}", "expires_in": 60})
        if request.headers.get("Authorization") not in self.valid:
            challenge = f'Bearer realm="{self.realm}",service="{HOST}",scope="repository:acme/app:pull"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        return None


def test_a_token_is_fetched_for_the_scope_and_used_again(fake: FakeRegistry) -> None:
    fake.before = server = TokenServer()
    stored(fake)
    client = fake.client(LOGIN)
    client.head_manifest(APP, "sha-4f2a9c1")
    client.get_manifest(APP, "sha-4f2a9c1")
    client.put_blob(APP, b"content")
    assert [request.url.params["scope"] for request in server.asked] == [
        "repository:acme/app:pull",
        "repository:acme/app:pull,push",
    ]
    assert server.asked[0].url.params["service"] == HOST
    assert server.asked[0].url.params["account"] == "x"
    assert server.asked[0].headers["Authorization"] == BASIC


def test_a_client_that_will_push_says_so_from_its_first_look_on(fake: FakeRegistry) -> None:
    """GHCR denies a look at a repository that does not exist, unless one may make it."""
    fake.before = server = TokenServer()
    client = fake.client(LOGIN, access=Access.PUSH)
    assert client.head_manifest(APP, "sha-4f2a9c1") is None
    client.put_blob(APP, b"content")
    assert [request.url.params["scope"] for request in server.asked] == ["repository:acme/app:pull,push"]


def test_an_expired_token_is_fetched_anew(fake: FakeRegistry) -> None:
    fake.before = server = TokenServer()
    stored(fake)
    client = fake.client(LOGIN)
    client.head_manifest(APP, "sha-4f2a9c1")
    server.valid.clear()
    assert client.head_manifest(APP, "sha-4f2a9c1") is not None
    assert len(server.asked) == 2


def test_without_a_login_a_token_is_asked_for_anonymously(fake: FakeRegistry) -> None:
    fake.before = server = TokenServer()
    stored(fake)
    fake.client().head_manifest(APP, "sha-4f2a9c1")
    assert "Authorization" not in server.asked[0].headers


def test_an_identity_token_is_exchanged(fake: FakeRegistry) -> None:
    fake.before = server = TokenServer()
    stored(fake)
    fake.client(Credentials("", identity_token="hunter2")).head_manifest(APP, "sha-4f2a9c1")
    form = dict(pair.split("=") for pair in server.asked[0].content.decode().split("&"))
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "hunter2")
    assert "hunter2" not in str(server.asked[0].url)


@pytest.mark.parametrize("realm", ["http://auth.example.com/token", "/token", "", "https://u:p@x/token", "ftp://x"])
def test_a_login_is_not_given_to_a_token_server_without_tls(fake: FakeRegistry, realm: str) -> None:
    fake.before = TokenServer(realm)
    with pytest.raises(Failed, match="not to be trusted with a login"):
        fake.client(LOGIN).head_manifest(APP, "sha-4f2a9c1")
    assert all(request.url.host == HOST for request in fake.requests)


@pytest.mark.parametrize(
    ("status", "login", "words"),
    [
        (401, LOGIN, "did not accept the login to read acme/app"),
        (401, None, "wants a login to read acme/app"),
        (403, LOGIN, "does not allow this login to read acme/app"),
        (403, None, "does not allow anyone without a login to read acme/app"),
    ],
)
def test_a_refused_login_says_what_to_do(
    fake: FakeRegistry, status: int, login: Credentials | None, words: str
) -> None:
    body = {"errors": [{"code": "DENIED", "message": "requested access\x1b[31m is denied"}]}
    fake.before = lambda request: httpx.Response(status, json=body, headers={"WWW-Authenticate": "Basic realm=r"})
    with pytest.raises(Failed) as caught:
        fake.client(login).get_manifest(APP, "sha-4f2a9c1")
    text = message(caught.value)
    assert f"the registry {HOST} {words}" in text
    assert f"docker login {HOST}" in text
    assert "DENIED: requested access" in text
    assert "\x1b" not in text


def test_a_token_server_that_refuses_says_what_to_do(fake: FakeRegistry) -> None:
    server = TokenServer()
    fake.before = lambda request: httpx.Response(401) if request.url.path == "/token" else server(request)
    with pytest.raises(Failed, match="did not accept the login") as caught:
        fake.client(LOGIN).head_manifest(APP, "sha-4f2a9c1")
    assert f"docker login {HOST}" in message(caught.value)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"token": 3}', b'{"token": "a\\nb"}', b"{" * 2000])
def test_a_token_that_is_none_is_refused(fake: FakeRegistry, body: bytes) -> None:
    server = TokenServer()
    fake.before = lambda request: httpx.Response(200, content=body) if request.url.path == "/token" else server(request)
    with pytest.raises(Failed, match="answered without a token"):
        fake.client(LOGIN).head_manifest(APP, "sha-4f2a9c1")


# --- redirects


def test_a_login_does_not_follow_a_redirect_to_another_host(fake: FakeRegistry) -> None:
    content = b"layer"

    def before(request: httpx.Request) -> httpx.Response | None:
        if request.url.host == "storage.example.net":
            return httpx.Response(200, content=content)
        if request.headers.get("Authorization") != BASIC:
            return httpx.Response(401, headers={"WWW-Authenticate": "Basic realm=r"})
        return httpx.Response(307, headers={"Location": "https://storage.example.net/x?signature=y"})

    fake.before = before
    assert fake.client(LOGIN).get_blob(APP, Digest.of(content), limit_bytes=100) == content
    outside = [request for request in fake.requests if request.url.host != HOST]
    assert [str(request.url) for request in outside] == ["https://storage.example.net/x?signature=y"]
    assert "Authorization" not in outside[0].headers


@pytest.mark.parametrize("port", ["", ":444"])
def test_another_port_is_another_host(fake: FakeRegistry, port: str) -> None:
    def before(request: httpx.Request) -> httpx.Response | None:
        if (
            request.headers.get("Authorization") == BASIC
            and request.url.port is None
            and "/elsewhere" not in str(request.url)
        ):
            return httpx.Response(307, headers={"Location": f"https://{HOST}{port}/elsewhere"})
        if "/elsewhere" in str(request.url):
            return httpx.Response(200, content=b"x")
        return httpx.Response(401, headers={"WWW-Authenticate": "Basic realm=r"})

    fake.before = before
    fake.client(LOGIN).get_blob(APP, Digest.of(b"x"), limit_bytes=10)
    assert ("Authorization" in fake.requests[-1].headers) is (port == "")


def test_a_redirect_from_tls_to_plain_http_is_refused(fake: FakeRegistry) -> None:
    fake.before = lambda request: httpx.Response(307, headers={"Location": f"http://{HOST}/x"})
    with pytest.raises(Failed, match="leads from TLS to plain http"):
        fake.client(LOGIN).get_blob(APP, Digest.of(b"x"), limit_bytes=10)


def test_redirects_in_a_circle_end(fake: FakeRegistry) -> None:
    fake.before = lambda request: httpx.Response(307, headers={"Location": str(request.url)})
    with pytest.raises(Failed, match="not to be believed"):
        fake.client().get_blob(APP, Digest.of(b"x"), limit_bytes=10)
    assert len(fake.requests) == 6


# --- lies


def test_a_manifest_with_another_digest_than_asked_for_is_refused(fake: FakeRegistry) -> None:
    asked = stored(fake)
    fake.manifests[APP.path, asked] = (MediaType.OCI_MANIFEST, b'{"schemaVersion":3}')
    with pytest.raises(Failed, match="not to be believed"):
        fake.client().get_manifest(APP, asked)


def test_a_manifest_that_is_not_what_its_field_says_is_refused(fake: FakeRegistry) -> None:
    fake.before = lambda request: httpx.Response(
        200, content=MANIFEST, headers={"Docker-Content-Digest": Digest.of(b"other")}
    )
    with pytest.raises(Failed, match="not to be believed"):
        fake.client().get_manifest(APP, "sha-4f2a9c1")


def test_a_head_that_answers_with_another_digest_is_refused(fake: FakeRegistry) -> None:
    fake.before = lambda request: httpx.Response(
        200, headers={"Docker-Content-Digest": Digest.of(b"other"), "Content-Length": "3"}
    )
    with pytest.raises(Failed, match="not to be believed"):
        fake.client().head_manifest(APP, Digest.of(b"asked"))


def test_a_blob_that_was_altered_is_refused(fake: FakeRegistry) -> None:
    fake.blobs[Digest.of(b"true")] = b"fals"
    with pytest.raises(Failed, match="not to be believed"):
        fake.client().get_blob(APP, Digest.of(b"true"), limit_bytes=10)


def test_a_push_that_is_stored_as_something_else_is_refused(fake: FakeRegistry) -> None:
    fake.before = lambda request: (
        httpx.Response(201, headers={"Docker-Content-Digest": Digest.of(b"other")}) if request.method == "PUT" else None
    )
    with pytest.raises(Failed, match="not to be believed"):
        fake.client().put_manifest(APP, "sha-4f2a9c1", MediaType.OCI_MANIFEST, MANIFEST)
    with pytest.raises(Failed, match="not to be believed"):
        fake.client().put_blob(APP, b"content")


def test_more_bytes_than_the_limit_are_not_taken(fake: FakeRegistry) -> None:
    fake.blobs[Digest.of(b"x" * 11)] = b"x" * 11
    with pytest.raises(Failed, match="sent more than was asked for"):
        fake.client().get_blob(APP, Digest.of(b"x" * 11), limit_bytes=10)


def test_a_packed_answer_is_not_unpacked(fake: FakeRegistry) -> None:
    fake.before = lambda request: httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Whole(b"\x1f\x8b"))
    with pytest.raises(Failed, match="packed an answer"):
        fake.client().get_blob(APP, Digest.of(b""), limit_bytes=10)
    assert fake.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("digest", ["", "sha512:00", "sha256:zz"])
def test_a_head_without_a_proper_digest_is_not_believed(fake: FakeRegistry, digest: str) -> None:
    def before(request: httpx.Request) -> httpx.Response:
        headers = {"Docker-Content-Digest": digest} if digest else {}
        content = MANIFEST if request.method == "GET" else b""
        return httpx.Response(200, headers={**headers, "Content-Length": str(len(MANIFEST))}, content=content)

    fake.before = before
    if digest:
        with pytest.raises(Failed, match="not to be believed"):
            fake.client().head_manifest(APP, "sha-4f2a9c1")
    else:  # then the manifest is read and hashed instead
        descriptor = fake.client().head_manifest(APP, "sha-4f2a9c1")
        assert descriptor is not None
        assert descriptor.digest == Digest.of(MANIFEST)


# --- what is there and what is not


def test_a_tag_that_is_not_there_is_none(fake: FakeRegistry) -> None:
    assert fake.client().head_manifest(APP, "sha-4f2a9c1") is None
    assert fake.client().find_manifest(APP, "sha-4f2a9c1") is None
    with pytest.raises(Failed, match="has no sha-4f2a9c1"):
        fake.client().get_manifest(APP, "sha-4f2a9c1")


def test_what_was_put_is_what_is_got(fake: FakeRegistry) -> None:
    client = fake.client()
    digest = client.put_blob(APP, b"content")
    assert client.get_blob(APP, digest, limit_bytes=7) == b"content"
    descriptor = client.put_manifest(APP, "sha-4f2a9c1", MediaType.OCI_MANIFEST, MANIFEST)
    assert client.head_manifest(APP, "sha-4f2a9c1") == descriptor
    assert client.get_manifest(APP, descriptor.digest).content == MANIFEST


def test_a_blob_that_is_there_is_not_sent_again(fake: FakeRegistry) -> None:
    fake.client().put_blob(APP, b"content")
    before = len(fake.requests)
    fake.client().put_blob(APP, b"content")
    assert fake.log[before:] == [f"HEAD /v2/acme/app/blobs/{Digest.of(b'content')}"]


@pytest.mark.parametrize("reference", ["", "../x", "a/b", "a?b", "sha256:00", "-x", "x" * 129])
def test_what_is_no_reference_is_never_sent(fake: FakeRegistry, reference: str) -> None:
    with pytest.raises(Failed, match="not a tag or digest"):
        fake.client().head_manifest(APP, reference)
    assert fake.requests == []


def test_docker_hub_is_asked_where_it_lives(fake: FakeRegistry) -> None:
    fake.client(registry="docker.io").ping()
    assert str(fake.requests[0].url) == "https://registry-1.docker.io/v2/"


# --- pages


def pages(*answers: tuple[list[str], str | None]) -> FakeRegistry:
    fake = FakeRegistry()
    rest = iter(answers)

    def before(request: httpx.Request) -> httpx.Response:
        tags, link = next(rest)
        return httpx.Response(200, json={"tags": tags}, headers={"Link": link} if link else {})

    fake.before = before
    return fake


def test_all_pages_are_read() -> None:
    fake = pages(
        (["a"], f'<https://{HOST}/v2/acme/app/tags/list?last=a&n=1>; rel="next"'),
        (["b"], '</v2/acme/app/tags/list?last=b&n=1>; rel="next"'),
        (["c"], None),
    )
    assert fake.client().list_tags(APP) == ["a", "b", "c"]
    assert [dict(request.url.params) for request in fake.requests[1:]] == [
        {"last": "a", "n": "1"},
        {"last": "b", "n": "1"},
    ]


@pytest.mark.parametrize("link", ["/v2/acme/app/tags/list?n=1000", "https://evil.example/v2/acme/app/tags/list"])
def test_pages_that_lead_in_a_circle_or_elsewhere_are_refused(link: str) -> None:
    fake = pages((["a"], f"<{link}>; rel=next"), (["b"], f"<{link}>; rel=next"), (["c"], f"<{link}>; rel=next"))
    with pytest.raises(Failed, match="not to be believed"):
        fake.client(LOGIN).list_tags(APP)
    assert all(request.url.host == HOST for request in fake.requests)


def test_a_repository_that_is_not_there_has_no_tags(fake: FakeRegistry) -> None:
    assert fake.client().list_tags(APP) == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"tags": "x"}', b'{"tags": [1]}', b'{"name": "x"}'])
def test_a_list_that_is_none_is_refused(fake: FakeRegistry, body: bytes) -> None:
    fake.before = lambda request: httpx.Response(200, content=body)
    with pytest.raises(Failed, match="not to be believed"):
        fake.client().list_tags(APP)


def test_null_for_no_tags_is_understood(fake: FakeRegistry) -> None:
    fake.before = lambda request: httpx.Response(200, content=b'{"tags": null}')
    assert fake.client().list_tags(APP) == []


# --- faults


def failing(times: int, response: httpx.Response | Exception) -> FakeRegistry:
    fake = FakeRegistry()
    stored(fake)
    left = [times]

    def before(request: httpx.Request) -> httpx.Response | None:
        if left[0] == 0:
            return None
        left[0] -= 1
        if isinstance(response, Exception):
            raise response
        return response

    fake.before = before
    return fake


@pytest.mark.parametrize(
    "fault",
    [
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(503),
        httpx.ConnectError("reset"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
    ],
)
def test_a_fault_that_passes_is_waited_for(fault: httpx.Response | Exception) -> None:
    fake = failing(4, fault)
    assert fake.client().head_manifest(APP, "sha-4f2a9c1") is not None
    assert len(fake.waits) == 4
    assert 0.1 < fake.waits[0] < 0.4 < fake.waits[3] < 3.1


def test_a_fault_that_stays_is_reported_after_five_attempts() -> None:
    fake = failing(99, httpx.Response(503, json={"errors": [{"code": "UNAVAILABLE", "message": "maintenance"}]}))
    with pytest.raises(Failed, match="failed to read acme/app") as caught:
        fake.client().head_manifest(APP, "sha-4f2a9c1")
    assert len(fake.requests) == 5
    assert "503" in caught.value.why


@pytest.mark.parametrize(("value", "waits"), [("7", [7.0]), ("Wed, 21 Oct 2015 07:28:00 GMT", [0.0])])
def test_the_wait_that_is_asked_for_is_kept(value: str, waits: list[float]) -> None:
    fake = failing(1, httpx.Response(429, headers={"Retry-After": value}))
    fake.client().head_manifest(APP, "sha-4f2a9c1")
    assert fake.waits == waits


def test_a_wait_that_is_too_long_is_not_waited() -> None:
    fake = failing(1, httpx.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(Failed, match="allows no more requests for now"):
        fake.client().head_manifest(APP, "sha-4f2a9c1")
    assert fake.waits == []


def test_an_upload_that_was_forgotten_is_started_again(fake: FakeRegistry) -> None:
    forgotten = [True]

    def before(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PUT" and forgotten:
            forgotten.clear()
            return httpx.Response(404, json={"errors": [{"code": "BLOB_UPLOAD_UNKNOWN"}]})
        return None

    fake.before = before
    fake.client().put_blob(APP, b"content")
    assert [line.split()[0] for line in fake.log] == ["HEAD", "POST", "PUT", "POST", "PUT"]


def caused(error: httpx.HTTPError, cause: Exception) -> httpx.HTTPError:
    error.__cause__ = cause
    return error


def untrusted() -> Exception:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("fault", "words", "attempts"),
    [
        (
            caused(httpx.ConnectError("x"), socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
            "the name registry.example.com is not known",
            1,
        ),
        (
            caused(httpx.ConnectError("x"), socket.gaierror(socket.EAI_AGAIN, "Temporary failure")),
            "the name registry.example.com is not known",
            5,
        ),
        (caused(httpx.ConnectError("x"), ConnectionRefusedError(111, "refused")), "nothing listens there", 5),
        (caused(httpx.ConnectError("x"), untrusted()), "has a certificate that is not trusted\nwhy: self-signed", 1),
        (httpx.ConnectTimeout("x"), "did not answer in time", 5),
        (httpx.ProxyError("407 Proxy Authentication Required"), "the proxy refused: 407", 5),
    ],
)
def test_no_connection_is_said_in_words(fault: httpx.HTTPError, words: str, attempts: int) -> None:
    fake = failing(99, fault)
    with pytest.raises(Unreachable) as caught:
        fake.client(LOGIN).head_manifest(APP, "sha-4f2a9c1")
    assert words in message(caught.value)
    assert len(fake.requests) == attempts


def no_tls() -> httpx.HTTPError:
    error = ssl.SSLError(1, "wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return caused(httpx.ConnectError("x"), error)


@pytest.mark.parametrize("registry", ["localhost:5000", "127.0.0.1", "127.9.9.1:5000"])
def test_plain_http_is_spoken_to_this_machine(fake: FakeRegistry, registry: str) -> None:
    def before(request: httpx.Request) -> httpx.Response | None:
        if request.url.scheme == "https":
            raise no_tls()
        return None

    fake.before = before
    client = fake.client(LOGIN, registry)
    client.ping()
    client.ping()
    assert [request.url.scheme for request in fake.requests] == ["https", "http", "http"]


@pytest.mark.parametrize("registry", ["10.0.0.1:5000", "localhost.example.com", "128.0.0.1", "my-127.0.0.1.example"])
def test_plain_http_is_spoken_to_no_other_machine(fake: FakeRegistry, registry: str) -> None:
    def before(request: httpx.Request) -> httpx.Response | None:
        assert request.url.scheme == "https"
        raise no_tls()

    fake.before = before
    with pytest.raises(Unreachable, match="does not speak TLS"):
        fake.client(LOGIN, registry).ping()


def test_a_registry_that_does_not_answer_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that runs into its timeout takes long enough."""
    fake = failing(99, httpx.ReadTimeout("slow"))
    clock = iter(range(0, 1000, 15))
    monkeypatch.setattr("fairway.registry.http.time.monotonic", lambda: float(next(clock)))
    with pytest.raises(Unreachable, match="cannot be reached"):
        fake.client().head_manifest(APP, "sha-4f2a9c1")
    assert len(fake.requests) == 2
