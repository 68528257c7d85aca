"""Who is let in to a team's dashboard: what a configuration asks for, and what a provider may not get away with."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import Request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from joserfc.jws import JWSRegistry
from starlette.testclient import TestClient
from typer.testing import CliRunner

from fairway.cli.app import app
from fairway.config.dashboard import Dashboard, Oidc
from fairway.config.load import parse
from fairway.dashboard.access import Access, Admitted, OwnAccess, Person
from fairway.dashboard.access.header import HeaderAccess
from fairway.dashboard.access.oidc import OidcAccess, own_path
from fairway.dashboard.access.team import client_secret, team_access
from fairway.dashboard.access.viewers import Viewers
from fairway.engine.contract.errors import Invalid
from tests.unit.dashboard.hosts import TOML, Host, dashboard

ISSUER = "https://login.test"
OIDC = f'[dashboard.oidc]\nissuer = "{ISSUER}"\nclient_id = "fairway"\n'
URL = 'url = "https://deploy.test"\n'


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (f'[dashboard]\n{URL}user_header = "X-User"\n{OIDC}', "keep one"),
        (f"[dashboard]\n{URL}", "oidc: is missing"),
        ('[dashboard]\nviewers = ["ada"]\n', "oidc: is missing"),
        ('[dashboard]\nuser_header = "X-User"\n', "url: is missing"),
        (OIDC, "url: is missing"),
        (f'[dashboard]\n{URL}viewers = ["*"]\n{OIDC}', "the whole world"),
        (f'[dashboard]\n{URL}user_header = "X-User"\nviewer_groups = ["ops"]\n', "viewer_groups"),
        (f'[dashboard]\n{URL}{OIDC}scopes = ["email"]\n', "openid"),
        (f'[dashboard]\n{URL}{OIDC}client_secret = "s"\n', "unknown key"),
        (f'[dashboard]\n{URL}user_header = "X User"\n', "user_header"),
        (f'[dashboard]\n{URL}user_header = "X_User"\n', "user_header"),
        ('[dashboard]\nurl = "http://deploy.test"\nuser_header = "X-User"\n', "https"),
        ('[dashboard]\nurl = "https://deploy.test/ui"\nuser_header = "X-User"\n', "without a path"),
        ('[dashboard]\nurl = "https://deploy.test/"\nuser_header = "X-User"\n', "without a path"),
        ('[dashboard]\nurl = "https://Deploy.test"\nuser_header = "X-User"\n', "lower case"),
        ('[dashboard]\nurl = "https://deploy.test:443"\nuser_header = "X-User"\n', "port"),
        ('[dashboard]\nurl = "https://ada@deploy.test"\nuser_header = "X-User"\n', "without a path"),
        (f"[dashboard]\n{URL}{OIDC.replace('https:', 'http:')}", "https"),
        (f"[dashboard]\n{URL}{OIDC.replace('login.test', 'login.test?x=1')}", "issuer"),
        (f'[dashboard]\n{URL}viewers = ["ada eve"]\n{OIDC}', "viewers"),
    ],
)
def test_a_configuration_that_is_not_clear_about_who_comes_in_is_refused(table: str, why: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(TOML + table)
    assert why in str(caught.value)


def test_without_a_way_in_there_is_no_dashboard_for_a_team() -> None:
    with pytest.raises(Invalid, match="nobody could sign in"):
        team_access(parse(TOML), {})


def test_the_way_in_is_the_one_that_is_configured() -> None:
    secret = {"FAIRWAY_OIDC_CLIENT_SECRET": "s"}
    assert isinstance(team_access(parse(f"{TOML}[dashboard]\n{URL}{OIDC}"), dict(secret)), OidcAccess)
    header = parse(f'{TOML}[dashboard]\n{URL}user_header = "X-User"\n')
    assert isinstance(team_access(header, {}), HeaderAccess)


def test_the_secret_comes_from_one_place_that_nobody_else_can_read(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("abc\n")
    file.chmod(0o600)
    environ = {"FAIRWAY_OIDC_CLIENT_SECRET_FILE": str(file), "PATH": "/bin"}
    assert client_secret(environ) == "abc"
    assert environ == {"PATH": "/bin"}, "ssh, which is started from here, has no use for it"
    assert client_secret({"FAIRWAY_OIDC_CLIENT_SECRET": "abc"}) == "abc"
    both = {"FAIRWAY_OIDC_CLIENT_SECRET": "abc", "FAIRWAY_OIDC_CLIENT_SECRET_FILE": str(file)}
    for wrong in (both, {}):
        with pytest.raises(Invalid, match="FAIRWAY_OIDC_CLIENT_SECRET_FILE") as caught:
            client_secret(dict(wrong))
        assert "abc" not in str(caught.value)
    for mode in (0o640, 0o604, 0o666):
        file.chmod(mode)
        with pytest.raises(Invalid, match="can be read by others"):
            client_secret({"FAIRWAY_OIDC_CLIENT_SECRET_FILE": str(file)})
    # systemd's own way: 0440, and an access list.
    file.chmod(0o440)
    given = {"FAIRWAY_OIDC_CLIENT_SECRET_FILE": str(file), "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert client_secret(given) == "abc"
    file.chmod(0o600)
    for text in ("", "\n", "abc\ndef", "x" * 5000, "\x00"):
        file.write_text(text)
        with pytest.raises(Invalid) as caught:
            client_secret({"FAIRWAY_OIDC_CLIENT_SECRET_FILE": str(file)})
        assert "abc" not in str(caught.value)


ADA = {"email": "ada@example.com", "email_verified": True}


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        (ADA, "ada@example.com"),
        ({**ADA, "email": "ADA@Example.com"}, "ADA@Example.com"),
        ({**ADA, "email_verified": False}, None),
        ({**ADA, "email_verified": "true"}, None),
        ({**ADA, "email_verified": 1}, None),
        ({"email": "ada@example.com"}, None),
        ({**ADA, "email": "ada@example.com.evil.test"}, None),
        ({**ADA, "email": "ada@example.com "}, None),
        ({**ADA, "email": "ad\u0430@example.com"}, None),
        ({**ADA, "email": ["ada@example.com"]}, None),
        ({**ADA, "email": None, "preferred_username": "ada@example.com"}, None),
        ({"groups": ["ops"], "preferred_username": "grace", "sub": "1"}, "grace"),
        ({"groups": ["ops"], "sub": "1"}, "1"),
        ({"groups": "ops", "sub": "1"}, "1"),
        ({"groups": ["Ops", "ops2", "op"], "sub": "1"}, None),
        ({"groups": {"ops": True}, "sub": "1"}, None),
        ({"groups": [["ops"]], "sub": "1"}, None),
        ({"roles": ["ops"], "sub": "1"}, None),
        ({}, None),
    ],
)
def test_who_may_look_by_what_a_provider_says(claims: dict[str, Any], name: str | None) -> None:
    viewers = Viewers(frozenset({"ada@example.com"}), frozenset({"ops"}), "groups")
    assert viewers.name_of(claims) == name


def test_empty_lists_let_nobody_in() -> None:
    nobody = Viewers.of(Dashboard())
    assert nobody.name_of({**ADA, "groups": ["", "ops"], "": ["ops"]}) is None
    assert not nobody.has("ada")
    assert not nobody.has("")
    assert not nobody.has("*")


def test_a_header_counts_for_nothing_on_a_port(tmp_path: Path) -> None:
    access = HeaderAccess("http://127.0.0.1", "X-Forwarded-User", Viewers(frozenset({"*"}), frozenset(), ""))
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}, access) as client:
        answer = client.get("/", headers={"X-Forwarded-User": "ada"})
        assert answer.status_code == 403
        assert "nobody's word" in answer.text.replace("&#39;", "'")


@pytest.mark.parametrize(
    ("to", "goes"),
    [
        ("/", "/"),
        ("/history?environment=staging&page=2", "/history?environment=staging&page=2"),
        ("/releases/sha-1", "/releases/sha-1"),
        ("", "/"),
        ("history", "/"),
        ("//evil.test", "/"),
        ("///evil.test", "/"),
        ("/\\evil.test", "/"),
        ("/\tevil", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("https://evil.test", "/"),
        ("javascript:alert(1)", "/"),
        ("/sign-in", "/"),
        ("/sign-in/callback?code=1", "/"),
    ],
)
def test_after_the_sign_in_one_stays_here(to: str, goes: str) -> None:
    assert own_path(to) == goes


class Provider:
    """A provider that can be told to lie, in its token, what signs that, and what it says of itself."""

    def __init__(self) -> None:
        self.key: Any = RSAKey.generate_key(2048, {"kid": "1"})
        self.public = self.key.as_dict(private=False)
        self.alg = "RS256"
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {"sub": "1", **ADA}
        self.metadata: dict[str, Any] = {}
        self.nonce = ""
        self.asked: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if request.url.path == "/.well-known/openid-configuration":
            places = {"authorization": "authorize", "token": "token", "userinfo": "me"}
            known: dict[str, Any] = {f"{name}_endpoint": f"{ISSUER}/{path}" for name, path in places.items()}
            algorithms = ["RS256", "HS256", "none"]
            known |= {
                "issuer": ISSUER,
                "jwks_uri": f"{ISSUER}/jwks",
                "id_token_signing_alg_values_supported": algorithms,
            }
            return httpx2.Response(200, json={**known, **self.metadata})
        if request.url.path == "/jwks":
            return httpx2.Response(200, json={"keys": [self.public]})
        if request.url.path == "/me":
            return httpx2.Response(200, json=self.userinfo)
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "fairway", "sub": "1", "nonce": self.nonce, "iat": now, "exp": now + 60}
        claims = {name: value for name, value in {**claims, **self.claims}.items() if value is not None}
        if self.alg == "none":
            parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
            token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."
            return httpx2.Response(200, json={"access_token": "a", "token_type": "Bearer", "id_token": token})
        registry = JWSRegistry(algorithms=[self.alg], strict_check_header=False)
        token = jwt.encode({"alg": self.alg, "kid": "1"}, claims, self.key, registry=registry)
        return httpx2.Response(200, json={"access_token": "a", "token_type": "Bearer", "id_token": token})


@pytest.fixture
def liar() -> Provider:
    return Provider()


@pytest.fixture
def client(tmp_path: Path, liar: Provider) -> Iterator[TestClient]:
    viewers = Viewers(frozenset({"ada@example.com"}), frozenset(), "groups")
    settings = Oidc(issuer=ISSUER, client_id="fairway")
    access = OidcAccess("http://127.0.0.1", settings, "s", viewers, transport=httpx2.MockTransport(liar))
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}, access) as client:
        yield client


def _come_back(client: TestClient, liar: Provider, **changes: str) -> int:
    """Go to the provider and back with a code; return how that ends."""
    begun = client.get("/sign-in", follow_redirects=False)
    if begun.status_code != 302:
        return begun.status_code
    asked = {name: value for name, (value,) in parse_qs(urlsplit(begun.headers["Location"]).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "http://127.0.0.1/sign-in/callback"
    liar.nonce = asked["nonce"]
    back = {"code": "c", "state": asked["state"], **changes}
    return client.get("/sign-in/callback", params=back, follow_redirects=False).status_code


def test_an_honest_provider_is_believed(client: TestClient, liar: Provider) -> None:
    assert _come_back(client, liar) == 303
    assert client.get("/").status_code == 200


def test_a_page_that_was_left_open_begins_no_sign_in(client: TestClient, liar: Provider) -> None:
    """Else the one that its owner is about in another tab would be over."""
    paths = ("/events", "/events/deployments/staging/20260630-120000-000000", "/parts/environments", "/api/history")
    for path in paths:
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code == 401, path
        assert "set-cookie" not in answer.headers


def _other_key(liar: Provider) -> None:
    liar.key = RSAKey.generate_key(2048, {"kid": "1"})


def _signed_with_the_secret(liar: Provider) -> None:
    liar.key, liar.alg = OctKey.import_key("s" * 32), "HS256"


def _signed_with_the_public_key(liar: Provider) -> None:
    pem = RSAKey.import_key(liar.public).as_pem(private=False)
    liar.key, liar.alg = OctKey.import_key(pem.replace(b"BEGIN PUBLIC", b"BEGIN ")), "HS256"


def _unsigned(liar: Provider) -> None:
    liar.alg = "none"
    liar.metadata["id_token_signing_alg_values_supported"] = ["none"]


@pytest.mark.filterwarnings("ignore:This key should not be used")
@pytest.mark.parametrize(
    "lie",
    [
        lambda liar: liar.claims.update(iss="https://evil.test"),
        lambda liar: liar.claims.update(iss=None),
        lambda liar: liar.claims.update(aud="another"),
        lambda liar: liar.claims.update(aud=["another", "one"]),
        lambda liar: liar.claims.update(aud=None),
        lambda liar: liar.claims.update(nonce="another"),
        lambda liar: liar.claims.update(nonce=None),
        lambda liar: liar.claims.update(exp=int(time.time()) - 3600),
        lambda liar: liar.claims.update(exp=None),
        lambda liar: liar.claims.update(sub=None),
        lambda liar: liar.userinfo.update(sub="2"),
        lambda liar: liar.metadata.update(issuer="https://evil.test"),
        lambda liar: liar.metadata.update(issuer=None),
        _other_key,
        _unsigned,
        _signed_with_the_secret,
        _signed_with_the_public_key,
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    client: TestClient, liar: Provider, lie: Callable[[Provider], None]
) -> None:
    lie(liar)
    assert _come_back(client, liar) == 502
    assert client.get("/", follow_redirects=False).status_code == 303
    assert client.get("/api/environments").status_code == 401


@pytest.mark.parametrize(
    "metadata",
    [
        {"token_endpoint": "https://login.test:port/"},
        {"token_endpoint": None},
        {"jwks_uri": f"{ISSUER}/me"},
        {"userinfo_endpoint": f"{ISSUER}/jwks"},
        {"authorization_endpoint": 7},
    ],
)
def test_a_provider_that_says_nonsense_of_itself_is_an_answer_too(
    client: TestClient, liar: Provider, metadata: dict[str, Any]
) -> None:
    liar.metadata.update(metadata)
    assert _come_back(client, liar) == 502


def test_nobody_acts_where_the_service_is_not_the_person(client: TestClient, liar: Provider) -> None:
    def admitted(access: Access, **headers: str) -> Admitted:
        sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": sent}
        found = asyncio.run(access.admit(Request({**scope, "client": None, "server": ("/run/ui.sock", None)})))
        assert isinstance(found, Admitted)
        return found

    viewers = Viewers(frozenset({"ada"}), frozenset(), "")
    assert admitted(HeaderAccess("http://127.0.0.1", "X-User", viewers), x_user="ada").person == Person(
        "ada", acts=False
    )
    assert _come_back(client, liar) == 303
    cookie = f"fairway={client.cookies['fairway']}"
    oidc = client.app.state.desk.access  # type: ignore[attr-defined]
    assert admitted(oidc, cookie=cookie).person == Person("ada@example.com", acts=False)


def test_a_code_for_another_sign_in_is_refused(client: TestClient, liar: Provider) -> None:
    assert _come_back(client, liar, state="another") == 502
    assert "/token" not in liar.asked


def test_an_open_page_that_is_no_longer_let_in_is_loaded_again(client: TestClient, liar: Provider) -> None:
    assert _come_back(client, liar) == 303
    assert client.get("/parts/environments").status_code == 200
    client.cookies.delete("fairway")
    answer = client.get("/parts/environments")
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (401, "true")


def test_a_provider_that_cannot_be_reached_is_said(client: TestClient, liar: Provider) -> None:
    def gone(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("secret words of a library")

    client.app.state.desk.access._provider.client_kwargs["transport"] = httpx2.MockTransport(gone)  # type: ignore[attr-defined]
    answer = client.get("/sign-in", follow_redirects=False)
    assert answer.status_code == 502
    assert "ConnectError" in answer.text
    assert "secret words" not in answer.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--socket", "/run/ui.sock", "--port", "8420"], "either on a port"),
        (["--socket-group", "www-data"], "add --socket"),
        (["--socket", "/nowhere/ui.sock"], "nobody could sign in"),
    ],
)
def test_a_command_that_is_not_clear_about_who_can_come_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    (tmp_path / "fairway.toml").write_text(TOML)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["ui", *arguments])
    assert isinstance(result.exception, Invalid)
    assert said in str(result.exception)


def test_a_header_is_no_way_in_without_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fairway.toml").write_text(f'{TOML}[dashboard]\n{URL}user_header = "X-User"\nviewers = ["*"]\n')
    monkeypatch.chdir(tmp_path)
    served: list[Any] = []
    monkeypatch.setattr("fairway.dashboard.serving.serve", lambda app, listener: served.append(app))
    CliRunner().invoke(app, ["ui", "--port", "0", "--no-open"], catch_exceptions=False)
    (started,) = served
    assert isinstance(started.state.desk.access, OwnAccess)


def test_what_is_missing_is_said_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairway.cli.ui.find_spec", lambda name: None if name == "authlib" else object())
    result = CliRunner().invoke(app, ["ui"])
    assert "missing: authlib" in str(result.exception)
    assert "pip install 'fairway[ui]'" in str(result.exception)
