"""What stands before every request: the attacks, as tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient

from fairway.dashboard.access import Admitted, Guard, OwnAccess, Person
from fairway.dashboard.access.sessions import Sessions
from fairway.dashboard.app import _while_admitted
from tests.unit.dashboard.hosts import Host, dashboard, submit

HERE = "http://127.0.0.1"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    hosts = {"staging": Host(), "production": Host()}
    with dashboard(tmp_path_factory.mktemp("dashboard"), hosts) as client:
        app = client.app
        app.post("/do")(lambda: "done")  # type: ignore[attr-defined]
        yield client


def _token(client: TestClient) -> str:
    """Return the token of this client's forms."""
    return client.get("/").text.partition('name="csrf" value="')[2].partition('"')[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.1:80", "LOCALHOST"])
def test_the_dashboard_is_found_under_the_names_of_this_machine(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "127.0.0.1:8421",
        "127.0.0.1.evil.test",
        "localhost.",
        "evil.test:80",
        "[::1",
        "127.0.0.1/static/",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/environments", "/static/dashboard.css"])
def test_no_other_name_can_be_made_to_mean_it(client: TestClient, host: str, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert "capakraken" not in answer.text


GOOD = {"Origin": HERE, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}


@pytest.mark.parametrize(
    "headers",
    [GOOD, {"Origin": HERE}, {"Sec-Fetch-Site": "same-origin"}, {}],
    ids=["a browser", "an old browser", "no origin", "a program"],
)
def test_a_form_of_the_dashboard_does_what_it_says(client: TestClient, headers: dict[str, str]) -> None:
    token = _token(client)
    assert client.post("/do", data={"csrf": token}, headers=headers).status_code == 200
    assert client.post("/do", headers={**headers, "X-CSRF-Token": token}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {**GOOD, "Origin": "https://evil.test"},
        {**GOOD, "Origin": "http://127.0.0.1:9999"},
        {**GOOD, "Origin": "https://127.0.0.1"},
        {**GOOD, "Origin": "null"},
        {**GOOD, "Sec-Fetch-Site": "cross-site"},
        {**GOOD, "Sec-Fetch-Site": "same-site"},
        {**GOOD, "Sec-Fetch-Site": "none"},
    ],
)
def test_what_another_site_sends_is_refused_even_with_the_right_token(
    client: TestClient, headers: dict[str, str]
) -> None:
    assert client.post("/do", data={"csrf": _token(client)}, headers=headers).status_code == 403


def test_a_form_without_the_sessions_own_token_is_refused(client: TestClient) -> None:
    other = Guard(OwnAccess("eve", 80)).token(Admitted(Person("eve"), "another session"))
    for data in ({}, {"csrf": ""}, {"csrf": other}, {"csrf": _token(client)[:-1]}, {"csrf": "\udcff é"[1:]}):
        assert client.post("/do", data=data, headers=GOOD).status_code == 403
    token = _token(client)
    assert client.post("/do", json={"csrf": token}, headers=GOOD).status_code == 403
    assert client.post("/do", params={"csrf": token}, headers=GOOD).status_code == 403
    assert client.post("/do", files={"csrf": ("csrf", token)}, headers=GOOD).status_code == 403
    broken = {**GOOD, "Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/do", content=b"--y\r\nno form\r\n", headers=broken).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "ANYTHING"])
def test_no_way_to_change_something_goes_round_the_token(client: TestClient, method: str) -> None:
    assert client.request(method, "/do", headers=GOOD).status_code == 403


def test_a_token_of_a_session_that_has_ended_is_worth_nothing(tmp_path: Path) -> None:
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}) as client:
        token, session = _token(client), client.cookies["fairway-80"]
        left = submit(client, "/", "/sign-out").text
        assert "signed out" in left
        assert "capakraken" not in left
        assert "fairway-80" not in client.cookies
        client.cookies.set("fairway-80", session)
        assert client.get("/").status_code == 401
        assert client.post("/do", data={"csrf": token}, headers=GOOD).status_code == 401
        client.cookies.clear()
        access = client.app.state.desk.access  # type: ignore[attr-defined]
        client.get("/", params={"token": access.new_token()})
        assert client.post("/do", data={"csrf": token}, headers=GOOD).status_code == 403


def test_a_form_as_long_as_no_page_sends_is_not_read(client: TestClient) -> None:
    data = {"csrf": _token(client), "much": "x" * 2_000_000}
    assert client.post("/do", data=data, headers=GOOD).status_code == 413

    def chunks() -> Iterator[bytes]:
        yield b"csrf="

    chunked = {**GOOD, "Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/do", content=chunks(), headers=chunked).status_code == 413


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_cannot_load_the_dashboard_into_itself(client: TestClient, site: str) -> None:
    for mode in ("no-cors", "cors", "nested-navigate"):
        answer = client.get("/api/environments", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode})
        assert answer.status_code == 403
    assert client.get("/", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_every_answer_forbids_what_a_page_does_not_need(client: TestClient) -> None:
    for path in ("/", "/nowhere", "/static/dashboard.css"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/").headers["Cache-Control"] == "no-store"


def test_an_address_lets_in_once_and_the_next_is_shown(tmp_path: Path) -> None:
    shown: list[bool] = []
    access = OwnAccess("ada@laptop", 80, used=lambda: shown.append(True))
    token = access.new_token()
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}, access) as client:
        answer = client.get("/", params={"token": token}, follow_redirects=False)
        assert (answer.status_code, len(shown)) == (200, 1)
        assert token not in answer.text
        assert "capakraken" not in answer.text
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("fairway-80=")
        assert token not in cookie
        assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")}
        # The same browser, by its history: in, and the token out of sight.
        again = client.get("/", params={"token": token}, follow_redirects=False)
        assert (again.status_code, again.headers["Location"], len(shown)) == (303, "/", 1)
        # Somebody else, who has seen the address in a list of processes.
        client.cookies.clear()
        assert client.get("/", params={"token": token}, follow_redirects=False).status_code == 401
        assert client.post("/", params={"token": access.new_token()}).status_code == 401


@pytest.mark.parametrize("token", ["", "guessed", "a" * 50_000, "é\U0001f600"])
def test_a_token_that_was_never_given_lets_nobody_in(tmp_path: Path, token: str) -> None:
    access = OwnAccess("ada@laptop", 80)
    access.new_token()
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}, access) as client:
        answer = client.get("/", params={"token": token})
        assert answer.status_code == 401
        assert answer.headers["HX-Refresh"] == "true"
        assert "Set-Cookie" not in answer.headers


def test_two_dashboards_of_one_machine_do_not_take_each_others_cookies(tmp_path: Path) -> None:
    first, second = OwnAccess("ada", 80), OwnAccess("ada", 80)
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}, first) as client:
        client.get("/", params={"token": first.new_token()})
        session = client.cookies["fairway-80"]
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}, second) as client:
        client.cookies.set("fairway-80", session)
        assert client.get("/").status_code == 401


def test_a_stream_that_is_open_ends_with_its_session() -> None:
    left = [True, True, False]

    class Ends:
        async def still_admits(self, request: object) -> bool:
            return left.pop(0)

    async def body() -> AsyncIterator[str]:
        for word in ("one", "two", "three", "four"):
            yield word

    async def told() -> list[str]:
        request = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(guard=Ends())))
        return [chunk async for chunk in _while_admitted(request, body())]  # type: ignore[arg-type]

    assert asyncio.run(told()) == ["one", "two"]


def test_a_session_ends_with_its_time() -> None:
    now = [0.0]
    sessions: Sessions[str] = Sessions(60, clock=lambda: now[0])
    key = sessions.begin("ada")
    now[0] = 59.9
    assert sessions.get(key) == "ada"
    now[0] = 60.0
    assert sessions.get(key) is None
    assert sessions.end(key) is None


def test_of_too_many_sessions_the_oldest_goes() -> None:
    sessions: Sessions[int] = Sessions(60, at_most=3)
    keys = [sessions.begin(n) for n in range(4)]
    assert [sessions.get(key) for key in keys] == [None, 1, 2, 3]


def test_nothing_that_lets_in_is_shown_by_accident() -> None:
    access = OwnAccess("ada", 80)
    token = access.new_token()
    assert token not in repr(vars(access))
    assert "secret-session" not in repr(Admitted(Person("ada"), "secret-session"))
