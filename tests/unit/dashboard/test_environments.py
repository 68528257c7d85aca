"""An environment on a page of its own, and the description of all there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from fairway.dashboard.observing import Sight
from fairway.dashboard.pages import ROUTERS
from fairway.dashboard.views.overview import card
from tests.unit.dashboard.hosts import TOML, Host, Onlooker, dashboard, status
from tests.unit.observe.records import entry, tag


def test_slots_services_and_what_can_be_gone_back_to(tmp_path: Path) -> None:
    row = {"release": "sha256:1", "served_at": "2026-06-29T10:00:00.000Z", "image": True}
    production = Host(
        rollbacks=[
            {**row, "tag": tag("b"), "possible": True, "why": "", "warm": True, "seconds": 0.3},
            {**row, "tag": tag("c"), "possible": False, "why": "0007 drops a column", "warm": False, "seconds": 3.0},
        ],
        schema={"applied": ["0001_init", "0007_drop"]},
    )
    with dashboard(tmp_path, {"staging": Host(), "production": production}) as client:
        one = client.get("/api/environments/production").json()
        page = client.get("/environments/production").text
        assert client.get("/environments/nowhere").status_code == 404
    assert [(slot["name"], slot["serves"]) for slot in one["slots"]] == [("blue", True), ("green", False)]
    assert [(back["possible"], back["why"]) for back in one["rollbacks"]] == [
        (True, ""),
        (False, "0007 drops a column"),
    ]
    assert all(words in page for words in ("still warm", "0007 drops a column", "0007_drop", "postgres healthy"))


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "good"),
        ({"drift": ["x"]}, "trouble"),
        ({"serving": None}, "trouble"),
        ({"deploying": True, "deployment": {"purpose": "deploy", "by": "ada", "since": "now"}}, "deploying"),
    ],
)
def test_the_state_is_one_word(facts: dict[str, object], state: str) -> None:
    sight = Sight("staging", status=status(**facts), entries=({"n": 1, **entry(1, "deploy", "a")},))
    assert card(sight, None).state == state


def test_an_environment_that_nothing_was_deployed_to_is_no_trouble() -> None:
    assert card(Sight("staging", status=status(serving=None)), None).state == "empty"


# Pages whose JSON is not under the same name below /api, and what only leads elsewhere.
_JSON = {"/": "/environments", "/actions/{environment}/{action}": "/plans/{environment}/{action}"}
_LEADS_ELSEWHERE = "/deployments/{environment}/latest"


def test_every_page_has_its_json_and_the_description_knows_it(tmp_path: Path) -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    pages = {route.path for route in routes if route.methods == {"GET"}} - {_LEADS_ELSEWHERE}
    pages = {path for path in pages if not path.startswith(("/api/", "/parts/", "/events"))}
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}) as client:
        described = set(client.get("/api/openapi.json").json()["paths"])
    assert len(pages) > 10
    assert {f"/api{_JSON.get(path, path)}" for path in pages} <= described
    assert all(path.startswith("/api/") for path in described)


def test_without_an_environment_it_is_said_how_to_have_one(tmp_path: Path) -> None:
    with dashboard(tmp_path, {}, toml=TOML.partition("[environments.")[0]) as client:
        assert "[environments.&lt;name&gt;]" in client.get("/").text
        for path in ("/releases", "/approvals", "/history", "/backups"):
            assert client.get(path).status_code == 200


def test_only_whom_it_runs_as_is_offered_what_can_be_begun(tmp_path: Path) -> None:
    hosts = {"staging": Host(), "production": Host()}
    with dashboard(tmp_path, hosts) as client:
        own = client.get("/environments/production").text
        assert all(f'href="/actions/production/{action}"' in own for action in ("promote", "rollback", "restart"))
        assert 'href="/actions/staging/deploy"' in client.get("/environments/staging").text
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}, Onlooker()) as client:
        assert "/actions/" not in client.get("/environments/production").text
