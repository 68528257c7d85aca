"""The first page."""

from __future__ import annotations

from pathlib import Path

from tests.unit.dashboard.hosts import Host, dashboard
from tests.unit.observe.records import tag


def test_environments_stand_side_by_side_with_what_serves(tmp_path: Path) -> None:
    drifted = Host(drift=["app-blue was replaced <script>"])
    with dashboard(tmp_path, {"staging": Host(), "production": drifted}) as client:
        page = client.get("/").text
        assert page.index("staging") < page.index("production")
        assert "app-blue was replaced &lt;script&gt;" in page
        first, second = client.get("/api/environments").json()
    assert (first["environment"], first["state"], first["tag"]) == ("staging", "good", tag("a"))
    assert (second["state"], second["promote_from"]) == ("trouble", "staging")


def test_a_host_that_is_away_is_shown_with_the_reason(tmp_path: Path) -> None:
    away = Host()
    away.away = True
    with dashboard(tmp_path, {"staging": away, "production": Host()}) as client:
        one = client.get("/api/environments").json()[0]
        assert one["state"] == "unknown"
        assert one["problem"]["why"] == "connection refused"
        assert "connection refused" in client.get("/").text


def test_nobody_is_let_in_without_the_token(tmp_path: Path) -> None:
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}) as client:
        client.cookies.clear()
        for path in ("/", "/api/environments", "/events", "/api/openapi.json", "/parts/environments"):
            assert client.get(path).status_code == 401
        assert client.get("/", params={"token": "guessed"}).status_code == 401


def test_a_page_that_is_not_there_is_said_in_the_form_that_was_asked_for(tmp_path: Path) -> None:
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}) as client:
        assert "<h1>" in client.get("/nowhere").text
        assert client.get("/api/nowhere").json()["error"]["what"] == "Not Found"
