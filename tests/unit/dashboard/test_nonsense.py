"""A host that talks nonsense spoils its own part of a page, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fairway.dashboard.observing import Observers
from fairway.dashboard.pages import overview
from fairway.engine.contract.protocol import Operation
from tests.unit.dashboard.hosts import Host, dashboard, record, status
from tests.unit.dashboard.test_backups import LIST

_HUGE = 10**400
_BACKUP: dict[str, Any] = LIST["backups"][0]  # type: ignore[index]
_PAGES = ("/", "/environments/staging", "/history", "/releases", "/approvals", "/backups")
_STATUSES: tuple[dict[str, Any], ...] = (
    {},
    {"error": "x"},
    status(serving="x"),
    status(drift=3),
    status(slots=[]),
    status(slots={"blue": 1}),
    status(locked="yes"),
    status(uptime=[{}]),
    status(deploying=True, deployment="x"),
    status(deploying=True, deployment={}),
    status(rollbacks=[1]),
    status(rollbacks=[{"tag": "x", "served_at": 1, "possible": True, "seconds": "x"}]),
    status(schema=[1]),
    status(services=["a"]),
    status(backups=["x"]),
    status(previous={"slot": "red"}),
)
_ENTRIES: tuple[dict[str, Any], ...] = (
    {"seconds": _HUGE},
    {"seconds": -1e300, "failed_in": "soak"},
    {"action": {}, "outcome": [1], "tag": {}, "error": "x"},
    {"action": "trust", "added": [1]},
    {"action": "clean", "freed_bytes": _HUGE, "error": None},
)


def _shown(client: TestClient) -> None:
    for path in _PAGES:
        for one in (path, f"/api{'/environments' if path == '/' else path}"):
            answer = client.get(one)
            assert answer.status_code == 200, f"{one}: {answer.text}"


@pytest.mark.parametrize("said", _STATUSES)
def test_a_status_that_is_none_leaves_the_other_environments_shown(tmp_path: Path, said: dict[str, Any]) -> None:
    odd = Host()
    odd.answers[Operation.STATUS] = said
    with dashboard(tmp_path, {"staging": odd, "production": Host()}) as client:
        _shown(client)
        assert client.get("/api/environments").json()[1]["state"] == "good"


def test_it_is_said_of_a_status_that_it_cannot_be_read(tmp_path: Path) -> None:
    odd = Host()
    odd.answers[Operation.STATUS] = {}
    with dashboard(tmp_path, {"staging": odd, "production": Host()}) as client:
        one = client.get("/api/environments/staging").json()["card"]
        assert (one["state"], one["problem"]["what"]) == ("unknown", "the host gave an answer that cannot be read")


@pytest.mark.parametrize("facts", _ENTRIES)
def test_an_entry_that_is_none_leaves_the_rest_of_the_record_shown(tmp_path: Path, facts: dict[str, Any]) -> None:
    odd = Host()
    odd.entries.append({**record(1)[0], "n": 4, "deployment": "20260630-120000-000000", **facts})
    with dashboard(tmp_path, {"staging": odd, "production": Host()}) as client:
        _shown(client)
        assert client.get("/api/history").json()["total"] == 7
        assert client.get("/deployments/staging/20260630-120000-000000").status_code == 200


@pytest.mark.parametrize(
    "said",
    [{"backups": 3}, {"backups": [{}]}, {"backups": [{**_BACKUP, "size_bytes": _HUGE}]}],
)
def test_a_list_of_backups_that_is_none_is_said_to_be(tmp_path: Path, said: dict[str, Any]) -> None:
    odd = Host()
    odd.answers[Operation.BACKUP_LIST] = said
    with dashboard(tmp_path, {"staging": odd, "production": Host()}) as client:
        _shown(client)
        assert "cannot be read" in client.get("/api/backups").json()[0]["problem"]["what"]


def test_news_that_are_none_do_not_end_the_looking() -> None:
    host = Host()
    observers = Observers(("staging",), lambda name: host)  # type: ignore[arg-type,return-value]
    observers.start()
    try:
        observers.each["staging"].look_now()
        seen = observers.wait(0, 10)
        host.entries = ["x", None]  # type: ignore[list-item]
        observers.each["staging"].look_now()
        assert observers.wait(seen, 10) > seen
        assert "cannot be read" in str(observers.each["staging"].sight.error)
    finally:
        observers.stop()


def test_what_nobody_has_thought_of_is_a_page_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("secret of the inside")

    with dashboard(tmp_path, {"staging": Host(), "production": Host()}) as client:
        monkeypatch.setattr(overview, "card", broken)
        page, document = client.get("/"), client.get("/api/environments")
    assert (page.status_code, document.status_code) == (500, 500)
    assert "cannot be shown" in page.text
    assert document.json()["error"]["why"] == "ZeroDivisionError"
    assert "secret" not in page.text
    assert page.headers["Content-Security-Policy"] == document.headers["Content-Security-Policy"]
