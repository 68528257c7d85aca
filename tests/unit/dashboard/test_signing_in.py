"""Signing in to a team's dashboard: the real command, nginx as documented, and a certified provider."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.unit.dashboard.hosts import forms
from tests.unit.dashboard.team import NGINX, SECRET, documented, free_port, nginx, provider, team_dashboard

CALLBACK = "/sign-in/callback"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard that is signed in to with OpenID Connect."""
    directory = tmp_path_factory.mktemp("oidc")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    secret = directory / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    with provider(directory, url) as issuer:
        table = documented("toml", "[dashboard.oidc]")
        table = table.replace("https://deploy.example.com", url).replace(
            "https://login.example.com/realms/team", issuer
        )
        table += 'scopes = ["openid", "email", "profile", "groups"]\n'
        with (
            team_dashboard(directory, table, FAIRWAY_OIDC_CLIENT_SECRET_FILE=str(secret)),
            nginx(directory, port),
        ):
            yield url
    written = "".join((directory / name).read_text() for name in ("errors", "nginx.log"))
    assert SECRET not in written
    assert "Traceback" not in written


def browser() -> httpx.Client:
    return httpx.Client(follow_redirects=False, timeout=10)


def to_the_callback(client: httpx.Client, start: str, person: str) -> str:
    """Go from a page of the dashboard through the provider, as a person; return where it sends them back to."""
    answer = client.get(start)
    for _ in range(20):
        if answer.is_redirect:
            to = str(answer.next_request.url) if answer.next_request else ""
            if urlsplit(to).path == CALLBACK:
                return to
            answer = client.get(to)
            continue
        ((action, hidden),) = forms(answer.text).items()
        answer = client.post(answer.url.join(action), data={**hidden, "login": person, "password": "any"})
    raise AssertionError(f"the provider did not send {person} back")


def signed_in(client: httpx.Client, url: str, person: str) -> httpx.Response:
    return client.get(to_the_callback(client, url, person))


def test_a_viewer_signs_in_looks_and_signs_out(url: str) -> None:
    with browser() as client:
        answer = signed_in(client, f"{url}/?from=mail", "ada")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/?from=mail")
        session = next(one for one in answer.headers.get_list("Set-Cookie") if one.startswith("fairway="))
        assert {"httponly", "samesite=lax"} <= {part.strip().lower() for part in session.split(";")}
        page = client.get(url)
        assert "Ada@example.com" in page.text
        (token,) = [hidden["csrf"] for action, hidden in forms(page.text).items() if action == "/sign-out"]
        assert client.post(f"{url}/sign-out", data={"csrf": "0" * 64}).status_code == 403
        assert client.get(f"{url}/api/environments").json()[0]["environment"] == "staging"
        cookie = client.cookies["fairway"]
        assert "signed out" in client.post(f"{url}/sign-out", data={"csrf": token}).text
        client.cookies.set("fairway", cookie, domain="127.0.0.1")
        assert client.get(f"{url}/api/environments").status_code == 401


def test_a_member_of_a_group_may_look(url: str) -> None:
    with browser() as client:
        assert signed_in(client, url, "grace").status_code == 303
        assert "grace" in client.get(url).text


@pytest.mark.parametrize("person", ["eve", "mallory", "nobody"])
def test_an_unverified_address_another_group_and_a_stranger_are_not_let_in(url: str, person: str) -> None:
    with browser() as client:
        answer = signed_in(client, url, person)
        assert answer.status_code == 403
        assert "may not look" in answer.text
        assert "capakraken" not in answer.text
        assert "fairway" not in client.cookies
        assert client.get(f"{url}/api/environments").status_code == 401


def test_the_way_back_from_the_provider_is_gone_once(url: str) -> None:
    with browser() as client, browser() as other:
        back = to_the_callback(client, url, "ada")
        # Somebody who has read it, in a log say.
        assert other.get(back).status_code == 400
        assert client.get(back).status_code == 303
        assert client.get(back).status_code == 400


def test_somebody_elses_code_is_worth_nothing_in_a_sign_in_of_ones_own(url: str) -> None:
    with browser() as ada, browser() as eve:
        stolen = to_the_callback(ada, url, "ada")
        own = to_the_callback(eve, url, "eve")
        # With the state that belongs to the code: it is not hers. Her sign-in is over.
        assert eve.get(stolen).status_code == 502
        own = to_the_callback(eve, url, "eve")
        code, state = (parse_qs(urlsplit(one).query)[key][0] for one, key in ((stolen, "code"), (own, "state")))
        # With the state of her own: the provider asks for the secret that went with the code (PKCE).
        answer = eve.get(f"{url}{CALLBACK}", params={"code": code, "state": state})
        assert answer.status_code == 502
        assert code not in answer.text
        assert "fairway" not in eve.cookies


def test_a_refusal_of_the_provider_is_told_in_our_words(url: str) -> None:
    with browser() as client:
        state = parse_qs(urlsplit(to_the_callback(client, url, "ada")).query)["state"][0]
        said = {"error": "access_denied", "error_description": "<b>call 555-1234</b>", "state": state}
        answer = client.get(f"{url}{CALLBACK}", params=said)
        assert answer.status_code == 502
        assert "555" not in answer.text


@pytest.mark.parametrize(
    "to", ["//evil.test/", "https://evil.test/", "/\\evil.test", "/sign-in", "javascript:alert(1)"]
)
def test_after_the_sign_in_nobody_is_sent_elsewhere(url: str, to: str) -> None:
    with browser() as client:
        back = to_the_callback(client, str(httpx.URL(f"{url}/sign-in", params={"to": to})), "ada")
        assert client.get(back).headers["Location"] == "/"


def test_a_header_of_ones_own_lets_nobody_in_where_a_provider_does(url: str) -> None:
    with browser() as client:
        headers = {"X-Forwarded-User": "ada", "X-Forwarded-Email": "ada@example.com", "Remote-User": "ada"}
        assert client.get(f"{url}/api/environments", headers=headers).status_code == 401
        assert client.get(f"{url}/api/environments", headers={"Host": "evil.test"}).status_code == 400


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A dashboard behind a proxy that asks for a password; its address and its socket."""
    directory = tmp_path_factory.mktemp("header")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    users = "".join(f"{user}:{{PLAIN}}{user}-password\n" for user in ("ada", "mallory"))
    (directory / "fairway.htpasswd").write_text(users)

    def with_passwords(server: str) -> str:
        lines = [line for line in server.splitlines() if 'X-Forwarded-User ""' not in line]
        return (
            "\n".join(line.replace("# auth_basic", "auth_basic").replace("# proxy_set", "proxy_set") for line in lines)
            + "\n"
        )

    table = documented("toml", "user_header").replace("https://deploy.example.com", url)
    with team_dashboard(directory, table) as path, nginx(directory, port, with_passwords):
        yield url, path


def test_whom_the_proxy_names_may_look_if_they_are_on_the_list(proxied: tuple[str, Path]) -> None:
    url, _ = proxied
    spoofed = {"X-Forwarded-User": "ada"}
    with browser() as client:
        assert client.get(url, headers=spoofed).status_code == 401
        page = client.get(url, auth=("ada", "ada-password"))
        assert (page.status_code, ">ada<" in page.text, "/sign-out" in page.text) == (200, True, False)
        assert client.get(url, auth=("mallory", "mallory-password"), headers=spoofed).status_code == 403
        twice = [("X-Forwarded-User", "ada"), ("X-Forwarded-User", "ada")]
        assert client.get(url, auth=("mallory", "mallory-password"), headers=twice).status_code == 403


def test_what_is_told_to_an_open_page_comes_while_the_answer_goes_on(proxied: tuple[str, Path]) -> None:
    url, path = proxied
    with browser() as client, client.stream("GET", f"{url}/events", auth=("ada", "ada-password")) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert next(answer.iter_lines()) == "event: changed"
    # For a proxy that is not told to by its own configuration.
    direct = httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url=url)
    with direct, direct.stream("GET", "/events", headers={"X-Forwarded-User": "ada"}) as answer:
        assert answer.headers["X-Accel-Buffering"] == "no"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("X-Forwarded-User", "ada")], 200),
        ([], 401),
        ([("X-Forwarded-User", "")], 401),
        ([("X-Forwarded-User", "eve")], 403),
        ([("X-Forwarded-User", "Ada")], 403),
        ([("X-Forwarded-User", "ada"), ("X-Forwarded-User", "ada")], 401),
        ([("X-Forwarded-User", "eve"), ("X-Forwarded-User", "ada")], 401),
        ([("X-Forwarded-User", "ada, eve")], 401),
        ([("X_Forwarded_User", "ada")], 401),
        ([("X-Forwarded-For", "127.0.0.1"), ("Remote-User", "ada")], 401),
    ],
)
def test_on_the_socket_the_header_counts_when_it_names_one_person(
    proxied: tuple[str, Path], headers: list[tuple[str, str]], status: int
) -> None:
    url, path = proxied
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url=url) as client:
        assert client.get("/", headers=headers).status_code == status


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_the_documented_service_is_one_that_systemd_takes_and_holds_small(tmp_path: Path) -> None:
    unit = tmp_path / "fairway-ui.service"
    unit.write_text(documented("ini", "[Service]").replace("/opt/fairway/bin/fairway", sys.executable))
    for check in (["verify", "--man=no"], ["security", "--offline=yes", "--threshold=25"]):
        tried = subprocess.run(["systemd-analyze", *check, unit], capture_output=True, text=True)
        assert tried.returncode == 0, tried.stdout + tried.stderr
        assert "Unknown" not in tried.stderr


def test_the_documented_server_is_one_that_nginx_takes_with_tls(tmp_path: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *(
                "-keyout",
                tmp_path / "privkey.pem",
                "-out",
                tmp_path / "fullchain.pem",
                "-subj",
                "/CN=deploy.example.com",
            ),
        ],
        check=True,
        capture_output=True,
    )
    server = documented("nginx", "server {").replace("/etc/letsencrypt/live/deploy.example.com", str(tmp_path))
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{server}}}\n")
    assert NGINX, "nginx is not installed: scripts/test-tools.sh unit"
    tried = subprocess.run(
        [NGINX, "-t", "-p", tmp_path, "-e", "stderr", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True
    )
    assert "syntax is ok" in tried.stderr, tried.stderr
