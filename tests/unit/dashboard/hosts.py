"""Hosts that answer a dashboard from what a test says they have: the pages are tried on it without Docker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from fairway.config import load
from fairway.dashboard.access import Access, OwnAccess
from fairway.dashboard.app import create_app
from fairway.dashboard.reach import Reach
from fairway.engine.contract.errors import Unreachable
from fairway.engine.contract.protocol import Operation
from tests.unit.observe.records import entry, tag

TOML = """
project = "capakraken"
[images]
app = "registry.test/ada/capakraken-app"
migrator = "registry.test/ada/capakraken-migrator"
[environments.staging]
hosts = ["ada@staging.test"]
deploy_path = "/opt/capakraken"
port = "8080"
[environments.production]
hosts = ["ada@production.test"]
deploy_path = "/opt/capakraken"
port = "8080"
promote_from = "staging"
"""


def status(**facts: Any) -> dict[str, Any]:
    """Return a host's status; ``facts`` are put over one where all is well."""
    slot = {
        "tag": tag("a"),
        "container": "running",
        "health": None,
        "restarts": 0,
        "started_at": "2026-06-30T10:00:00.000Z",
        "edge": "UP",
        "weight": 100,
        "connections": 3,
        "active": True,
    }
    gone = {**slot, "tag": None, "container": "none", "connections": None, "active": False}
    return {
        "project": "capakraken",
        "environment": "staging",
        "serving": {
            "slot": "blue",
            "tag": tag("a"),
            "release": "sha256:" + "1" * 64,
            "since": "2026-06-30T10:00:00.000Z",
            "by": "ada",
            "deployment": "20260630T100000Z-000001",
        },
        "slots": {"blue": slot, "green": gone},
        "services": {"postgres": "healthy", "redis": "healthy"},
        "schema": None,
        "leftovers": None,
        "previous": None,
        "rollbacks": [],
        "rollback_floor": None,
        "locked": None,
        "deploying": False,
        "deployment": None,
        "backups": None,
        "edge": None,
        "drift": [],
        **facts,
    }


def record(count: int) -> list[dict[str, Any]]:
    """Return a record with so many deployments, the oldest first."""
    return [{"n": n, **entry((count - n) / 10, "deploy", "abcdef"[n % 6])} for n in range(1, count + 1)]


class Host:
    """One host: ``answers`` by operation, a value or a function of the arguments; ``away`` makes it unreachable."""

    def __init__(self, **facts: Any) -> None:
        self.away = False
        self.entries: list[dict[str, Any]] = record(3)
        self.asked: list[tuple[Operation, dict[str, Any]]] = []
        self.answers: dict[Operation, Any] = {Operation.STATUS: status(**facts)}

    def call(
        self, operation: Operation, on_event: Callable[[dict[str, Any]], None] | None = None, **args: Any
    ) -> dict[str, Any]:
        """Answer as the engine does."""
        self.asked.append((operation, args))
        if self.away:
            raise Unreachable("the host cannot be reached", why="connection refused", hint="check that it is up")
        if operation is Operation.HISTORY:
            return {"entries": self.entries[::-1][: args["limit"]]}
        if operation is Operation.LEDGER:
            assert on_event is not None
            for one in self.entries:
                on_event({"kind": "entry", "entry": one})
            return {"entries": len(self.entries), "head": "", "broken_at": None, "why": "", "torn": []}
        answer = self.answers[operation]
        return dict(answer(**args) if callable(answer) else answer)

    @property
    def ended(self) -> bool:
        """Say whether the connection is gone."""
        return False

    def close(self) -> None:
        """End the connection."""


def make_app(tmp_path: Path, hosts: dict[str, Host], access: Access) -> FastAPI:
    """Return the dashboard over these hosts, with an archive that cannot be reached."""
    (tmp_path / "fairway.toml").write_text(TOML)
    config = load(tmp_path / "fairway.toml", {})

    def archive() -> Any:
        raise Unreachable("the registry cannot be reached")

    reach = Reach(lambda name: hosts[name], archive, "ada@laptop")  # type: ignore[arg-type,return-value]
    return create_app(config, reach, access)


def hear_all(app: FastAPI, count: int) -> None:
    """Wait until so many hosts were heard."""
    observers = app.state.desk.observers
    observers.sights()
    version = observers.version
    while version < count:
        heard = observers.wait(version, 10)
        assert heard > version, "no host was heard"
        version = heard


@contextmanager
def dashboard(tmp_path: Path, hosts: dict[str, Host], access: Access | None = None) -> Iterator[TestClient]:
    """Serve the dashboard over these hosts to a client that is let in, once each host was heard."""
    own = OwnAccess("ada@laptop")
    app = make_app(tmp_path, hosts, access or own)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        hear_all(app, len(hosts))
        if access is None:
            client.get("/", params={"token": own.token})
        yield client
