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
        assert client.get("/api/nowhere").json()["error"]["what"] == "there is no such page"


def test_what_is_not_known_is_not_said_to_be_nothing(tmp_path: Path) -> None:
    """A host that was never heard may have backups, and a history."""
    away = Host()
    away.away = True
    with dashboard(tmp_path, {"staging": Host(), "production": away}) as client:
        assert client.get("/api/history").json()["unheard"] == ["production"]
        for path in ("/", "/history", "/environments/production"):
            assert "what happened on production, where the host was not heard yet" in client.get(path).text, path
        assert "Nothing yet" not in client.get("/environments/production").text
        assert "Slots" not in client.get("/environments/production").text
        page = client.get("/backups").text.partition('id="backups-production"')[2]
    assert "<dt>Kept</dt>" not in page
    assert page.count("not known: its host was not heard yet") == 2
    assert "none yet" not in page


def test_what_happened_last_comes_with_what_a_page_that_is_open_asks_for(tmp_path: Path) -> None:
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}) as client:
        assert "What happened last" in client.get("/parts/environments").text


def test_somebody_who_begins_is_told_how_to_go_on(tmp_path: Path) -> None:
    hosts = {"staging": Host(serving=None), "production": Host(serving=None)}
    for host in hosts.values():
        host.entries = []
    with dashboard(tmp_path, hosts) as client:
        page = client.get("/").text
    assert "fairway deploy staging &lt;tag&gt;" in page
    assert "fairway promote --to production" in page


def test_it_is_seen_where_in_the_dashboard_a_page_is(tmp_path: Path) -> None:
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}) as client:
        for path, section in (("/environments/staging", "Environments"), ("/history", "History")):
            assert f' aria-current="page">{section}</a>' in client.get(path).text
        assert "aria-current" not in client.get("/nowhere").text
