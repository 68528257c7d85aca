"""What each registry does in its own way, as it was seen or is documented: one line a case."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.names import Digest, Repository
from fairway.registry import Access, Credentials, MediaType, RegistryClient
from tests.unit.registry.fake_registry import FakeRegistry

SCOPE = "repository:acme/app:pull"
MANIFEST = b'{"schemaVersion":2}'
ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
LOGIN = Credentials("robot", "hunter2")


class Registry(FakeRegistry):
    """A registry that wants a login, and the token server it names."""

    def __init__(self, challenge: str, *refusals: httpx.Response) -> None:
        super().__init__()
        self.tokens: list[httpx.Request] = []
        self.refusals = list(refusals)
        self._challenge = challenge
        for reference in ("sha-4f2a9c1", Digest.of(MANIFEST)):
            self.manifests["acme/app", reference] = (MediaType.OCI_MANIFEST, MANIFEST)
        self.before = self._login

    def _login(self, request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.startswith("/v2/"):
            self.tokens.append(request)
            if self.refusals:
                return self.refusals.pop(0)
            return httpx.Response(200, json={"token": "t", "access_token": "t", "expires_in": 300})
        scheme = self._challenge.partition(" ")[0].lower()
        if request.headers.get("Authorization", "").lower().startswith(scheme):
            return None
        return httpx.Response(401, headers={"WWW-Authenticate": self._challenge})


def bearer(realm: str, service: str, scope: str = SCOPE, **more: str) -> str:
    fields = {"realm": realm, "service": service, **({"scope": scope} if scope else {}), **more}
    return "Bearer " + ",".join(f'{key}="{value}"' for key, value in fields.items())


@pytest.mark.parametrize(
    ("registry", "challenge", "user", "token_server"),
    [
        ("r.example:5000", 'Basic realm="Registry Realm"', "jane", None),  # Distribution 2.8 and 3 with htpasswd
        (ECR, f'Basic realm="https://{ECR}/",service="ecr.amazonaws.com"', "AWS", None),
        ("zot.example", 'Basic realm="Authorization Required"', "jane", None),
        ("zot.example", bearer("https://zot.example/zot/auth/token", "zot"), "jane", "zot.example"),
        ("ghcr.io", bearer("https://ghcr.io/token", "ghcr.io"), "jane", "ghcr.io"),
        ("docker.io", bearer("https://auth.docker.io/token", "registry.docker.io"), "jane", "auth.docker.io"),
        ("index.docker.io", bearer("https://auth.docker.io/token", "registry.docker.io"), "jane", "auth.docker.io"),
        (
            "registry.gitlab.example",
            bearer("https://gitlab.example/jwt/auth", "container_registry", error="invalid_token"),
            "gitlab-ci-token",
            "gitlab.example",
        ),
        (
            "harbor.example",
            bearer("https://harbor.example/service/token", "harbor-registry"),
            "robot$acme+ci",
            "harbor.example",
        ),
        # The scope a challenge names is not always the one of the request; what is asked for is.
        ("r.example", bearer("https://t.example/token", "r", "registry:catalog:*"), "jane", "t.example"),
        ("r.example", bearer("https://t.example/token", "r", "repository:acme/app:push,pull"), "jane", "t.example"),
        ("r.example", bearer("https://t.example/token", "r", ""), "jane", "t.example"),
        ("r.example", 'bearer realm="https://t.example/token"', "jane", "t.example"),
        ("r.example", 'Bearer realm="https://t.example:8443/auth/token?account=x"', "jane", "t.example"),
    ],
)
def test_each_is_logged_in_to_as_it_asks(registry: str, challenge: str, user: str, token_server: str | None) -> None:
    fake = Registry(challenge)
    repository = Repository(f"{registry}/acme/app")
    client = fake.client(Credentials(user, "hunter2"), registry)
    assert client.head_manifest(repository, "sha-4f2a9c1") is not None
    assert client.get_manifest(repository, "sha-4f2a9c1").content == MANIFEST
    basic = "Basic " + base64.b64encode(f"{user}:hunter2".encode()).decode()
    if token_server is None:
        assert fake.requests[-1].headers["Authorization"] == basic
        assert fake.tokens == []
        return
    (token,) = fake.tokens
    assert token.url.host == token_server
    assert token.url.params["scope"] == SCOPE
    assert token.headers["Authorization"] == basic
    assert fake.requests[-1].headers["Authorization"] == "Bearer t"
    asked = {request.url.host for request in fake.requests if request.url.path.startswith("/v2/")}
    assert asked == {"registry-1.docker.io" if "docker.io" in registry else registry}


def error(status: int, code: str, message: str, **headers: str) -> httpx.Response:
    body = {"errors": [{"code": code, "message": message, "detail": None}]}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def reading(client: RegistryClient, repository: Repository) -> None:
    client.get_manifest(repository, "sha-4f2a9c1")


def listing(client: RegistryClient, repository: Repository) -> None:
    client.list_tags(repository)


def pushing(client: RegistryClient, repository: Repository) -> None:
    client.put_blob(repository, b"content")


INSUFFICIENT = bearer("https://auth.docker.io/token", "registry.docker.io", error="insufficient_scope")


@pytest.mark.parametrize(
    ("registry", "answer", "doing", "words", "why", "hint"),
    [
        # A package that does not exist and one that may not be seen are the same to GHCR.
        ("ghcr.io", error(403, "DENIED", "denied"), reading, "does not allow this login", "DENIED", "no such package"),
        (
            "ghcr.io",
            error(403, "DENIED", "permission_denied: write_package"),
            pushing,
            "does not allow this login to push",
            "write_package",
            "Manage Actions access",
        ),
        ("ghcr.io", error(404, "MANIFEST_UNKNOWN", "manifest unknown"), reading, "has no sha-4f2a9c1", "", "releases"),
        # Docker Hub and GitLab give everyone a token; only its use shows what it may do.
        (
            "docker.io",
            error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=INSUFFICIENT),
            pushing,
            "does not allow this login to push",
            "authentication required",
            "that has that right",
        ),
        (
            "registry.gitlab.example",
            error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=INSUFFICIENT),
            reading,
            "does not allow this login to read",
            "",
            "docker login registry.gitlab.example",
        ),
        ("docker.io", error(429, "TOOMANYREQUESTS", "rate limit"), reading, "allows no more requests", "rate", "wait"),
        (ECR, error(403, "DENIED", "Your authorization token has expired."), reading, "allow", "expired", "login"),
        (
            ECR,
            error(404, "NAME_UNKNOWN", "The repository with name 'acme/app' does not exist"),
            pushing,
            "has not what is needed to push",
            "does not exist",
            "made before the first push",
        ),
        (
            "harbor.example",
            error(401, "UNAUTHORIZED", "unauthorized to access repository: acme/app, action: push"),
            pushing,
            "did not accept the login to push",
            "action: push",
            "docker login",
        ),
        ("harbor.example", error(412, "PRECONDITION", "immutable tag"), pushing, "unexpected", "immutable", ""),
        ("zot.example", error(401, "UNAUTHORIZED", "authentication required"), listing, "not accept the login", "", ""),
        ("r.example", httpx.Response(413, text="<html>nginx</html>"), pushing, "nothing so large", "413", "proxy"),
        ("r.example", httpx.Response(503, text="<html>nginx</html>"), reading, "failed to read", "503", "log"),
    ],
)
def test_each_refusal_is_said_in_words(
    registry: str, answer: httpx.Response, doing: Any, words: str, why: str, hint: str
) -> None:
    fake = FakeRegistry()

    def before(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.startswith("/v2/"):
            return httpx.Response(200, json={"token": "t"})
        return None if request.method == "HEAD" else answer  # whether it has the blob may be asked

    fake.before = before
    with pytest.raises(Failed) as caught:
        doing(fake.client(LOGIN, registry), Repository(f"{registry}/acme/app"))
    assert words in caught.value.what
    assert why in caught.value.why
    assert hint in caught.value.hint
    assert "hunter2" not in str(caught.value)
    assert "<html>" not in str(caught.value)


@pytest.mark.parametrize("status", [403, 404])
def test_of_a_package_that_is_not_there_yet_a_pusher_on_ghcr_hears_nothing_bad(status: int) -> None:
    """With a token that may push, GHCR answers 404 to the look; without, 403."""
    fake = Registry(bearer("https://ghcr.io/token", "ghcr.io"))
    fake.manifests.clear()
    before = fake.before

    def asked(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/token" and "push" not in request.url.params["scope"]:
            return error(403, "DENIED", "denied")
        return before(request)

    fake.before = asked
    repository = Repository("ghcr.io/acme/app")
    if status == 404:
        assert fake.client(LOGIN, "ghcr.io", Access.PUSH).head_manifest(repository, "sha-4f2a9c1") is None
        assert fake.client(LOGIN, "ghcr.io", Access.PUSH).list_tags(repository) == []
    else:
        with pytest.raises(Failed, match="does not allow this login"):
            fake.client(LOGIN, "ghcr.io").head_manifest(repository, "sha-4f2a9c1")


@pytest.mark.parametrize(
    ("answer", "words", "why"),
    [
        (error(403, "DENIED", "access forbidden"), "does not allow", "access forbidden"),  # GitLab
        (httpx.Response(401, json={"details": "incorrect username or password"}), "did not accept", "incorrect"),
        (httpx.Response(401, json={"details": "access token has insufficient scopes"}), "did not accept", "scopes"),
        (
            httpx.Response(400, json={"error": "invalid_grant", "error_description": "revoked"}),
            "did not accept",
            "revoked",
        ),
        (httpx.Response(401, json=["x"]), "did not accept", "401"),
        (httpx.Response(404, text="<html>"), "has not what is needed", "404"),
    ],
)
def test_each_token_server_is_heard(answer: httpx.Response, words: str, why: str) -> None:
    fake = Registry(bearer("https://t.example/token", "r"), answer)
    with pytest.raises(FairwayError) as caught:
        fake.client(LOGIN, "r.example").head_manifest(Repository("r.example/acme/app"), "sha-4f2a9c1")
    assert words in caught.value.what
    assert why in caught.value.why
    assert len(fake.tokens) == 1


@pytest.mark.parametrize(
    ("status", "headers", "waits"),
    [
        (429, {"Retry-After": "2"}, [2.0]),
        (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, [0.0]),
        (429, {"Retry-After": "soon"}, None),
        (429, {}, None),
        (500, {}, None),
        (502, {}, None),
        (503, {"Retry-After": "1"}, [1.0]),
        (504, {}, None),
    ],
)
@pytest.mark.parametrize("where", ["registry", "token server"])
def test_each_way_to_ask_for_patience_is_understood(
    where: str, status: int, headers: Mapping[str, str], waits: list[float] | None
) -> None:
    busy = httpx.Response(status, headers=headers)
    fake = Registry(bearer("https://t.example/token", "r"), *([busy] if where == "token server" else []))
    if where == "registry":
        before, left = fake.before, [busy]
        fake.before = lambda request: left.pop() if left else before(request)
    found = fake.client(LOGIN, "r.example").head_manifest(Repository("r.example/acme/app"), "sha-4f2a9c1")
    assert found is not None
    assert len(fake.waits) == 1
    assert waits in (None, fake.waits)
    assert fake.waits[0] < 3


def invalid_number(request: httpx.Request) -> httpx.Response | None:
    if "n" in request.url.params:
        return error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested")
    return None


@pytest.mark.parametrize(
    ("registry", "link", "refuses"),
    [
        ("r.example", '</v2/acme/app/tags/list?last={last}&n=2>; rel="next"', False),  # Distribution 3
        (
            "r.example",
            '</v2/acme/app/tags/list?last={last}>; rel="next"',
            True,
        ),  # tags.maxtags below ours
        ("ghcr.io", '</v2/acme/app/tags/list?last={last}&n=2>; rel="next"', False),
        ("docker.io", '<https://registry-1.docker.io/v2/acme/app/tags/list?last={last}&n=2>; rel="next"', False),
        ("zot.example", '</v2/acme/app/tags/list?n=2&last={last}>; rel="next"', False),
        ("harbor.example", '</v2/acme/app/tags/list?n=2&last={last}>; rel="next"', False),
        (ECR, f'<https://{ECR}/v2/acme/app/tags/list?last={{last}}>; rel="next"', False),
        ("registry.gitlab.example", '</v2/acme/app/tags/list?n=2&last={last}>; rel="next"', False),
        ("r.example", "", False),  # Distribution 2.8 has one page of all, whatever is asked for
    ],
)
def test_each_way_of_paging_gives_all_tags(registry: str, link: str, refuses: bool) -> None:
    tags = [f"sha-{number:07x}" for number in range(5)]
    fake = FakeRegistry()

    def before(request: httpx.Request) -> httpx.Response:
        if refuses and (refusal := invalid_number(request)):
            return refusal
        rest = [tag for tag in tags if tag > request.url.params.get("last", "")]
        page = rest[:2] if link else rest
        more = {"Link": link.format(last=page[-1])} if len(rest) > len(page) else {}
        return httpx.Response(200, json={"name": "acme/app", "tags": page}, headers=more)

    fake.before = before
    assert fake.client(registry=registry).list_tags(Repository(f"{registry}/acme/app")) == tags


@pytest.mark.parametrize(
    "answer",
    [
        error(404, "NAME_UNKNOWN", "repository name not known to registry"),
        httpx.Response(200, json={"name": "acme/app", "tags": None}),
        httpx.Response(200, json={"name": "acme/app", "tags": []}),
    ],
)
def test_each_way_to_say_that_there_is_no_tag_is_understood(answer: httpx.Response) -> None:
    fake = FakeRegistry()
    fake.before = lambda request: answer
    assert fake.client(registry="r.example").list_tags(Repository("r.example/acme/app")) == []


def test_a_list_that_is_refused_altogether_is_not_asked_for_again_and_again() -> None:
    fake = FakeRegistry()
    fake.before = lambda request: error(400, "NAME_INVALID", "invalid repository name")
    with pytest.raises(Failed, match="list the tags") as caught:
        fake.client(registry="r.example").list_tags(Repository("r.example/acme/app"))
    assert "NAME_INVALID" in caught.value.why
    assert len(fake.requests) == 2
