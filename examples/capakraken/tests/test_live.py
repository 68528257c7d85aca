"""The application with a real PostgreSQL and Redis: those that `fairway ci` starts for this stage."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from capakraken.app import make_app, make_services
from capakraken.migrate import migrate
from capakraken.planning import week_of
from capakraken.settings import Settings, read_settings


@pytest.fixture(scope="module")
def settings() -> Settings:
    if not os.environ.get("POSTGRES_HOST"):
        pytest.skip("POSTGRES_HOST is not set: run this by fairway ci --only unit")
    found = read_settings(
        {
            **os.environ,
            "NEXTAUTH_URL": "http://localhost",
            "NEXTAUTH_SECRET": secrets.token_hex(32),
            "ADMIN_EMAIL": "admin@example.com",
            "ADMIN_PASSWORD": "correct-horse",
            "FAIRWAY_RELEASE": "sha-4f4f4f4",
        }
    )
    assert migrate(found) == 0
    return found


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(make_app(make_services(settings))) as made:
        yield made


def _sign_in(client: TestClient) -> None:
    form = {"email": "Admin@example.com", "password": "correct-horse"}
    assert client.post("/sign-in", data=form, follow_redirects=False).status_code == 303


def test_it_is_ready_when_migrated(client: TestClient) -> None:
    answer = client.get("/api/ready")
    assert (answer.status_code, answer.json()["failing"]) == (200, [])


def test_migrating_again_changes_nothing(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert migrate(settings) == 0
    assert "applied" not in capsys.readouterr().out


def test_nobody_gets_in_without_the_password(client: TestClient) -> None:
    assert client.post("/sign-in", data={"email": "admin@example.com", "password": "x"}).status_code == 401
    assert client.get("/api/sse/timeline").status_code == 401
    assert client.post("/allocations").status_code == 401
    assert "Sign in" in client.get("/").text


def test_planned_hours_are_on_the_timeline(client: TestClient) -> None:
    _sign_in(client)
    week = week_of(datetime.now(UTC).date()).isoformat()
    answer = client.post("/allocations", data={"person": 1, "project": 1, "week": week, "hours": "17,5"})
    assert answer.json()["hours"] == "17.5"
    assert 'value="17.50"' in client.get("/").text


@pytest.mark.parametrize("form", [{}, {"person": "x"}, {"person": 1, "project": 1, "week": "soon", "hours": 1}])
def test_a_form_that_is_not_an_allocation_is_refused(client: TestClient, form: dict[str, object]) -> None:
    _sign_in(client)
    assert client.post("/allocations", data=form).status_code == 400


def test_the_admin_page_clears_a_leftover_and_writes_none(client: TestClient, settings: Settings) -> None:
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("""INSERT INTO "SystemSettings" (key, value) VALUES ('SMTP_PASSWORD', 'hunter2')"""))
    assert client.post("/admin/secrets/clear", data={"key": "SMTP_PASSWORD"}).status_code == 401
    _sign_in(client)
    shown = client.get("/admin/secrets").text
    assert shown.count("Clear</button>") == 1
    assert "hunter2" not in shown
    for written in ({"key": "SMTP_PASSWORD", "value": "x"}, {"SMTP_PASSWORD": "x"}):
        assert client.post("/admin/secrets/clear", data=written).status_code == 400
        assert client.post("/admin/secrets/clear", params=written).status_code == 400
        assert client.post("/admin/secrets", data=written).status_code == 405
        assert client.put("/admin/secrets/clear", data=written).status_code == 405
    assert client.post("/admin/secrets/clear", data={"key": "SMTP_PASSWORD"}).status_code == 200
    with engine.connect() as connection:
        assert connection.execute(text("""SELECT value FROM "SystemSettings" """)).scalars().all() == [None]
    engine.dispose()
