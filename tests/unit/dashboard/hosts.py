"""Hosts that answer a dashboard from what a test says they have: the pages are tried on it without Docker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi import Response as Answer
from httpx2 import Response
from starlette.testclient import TestClient

from fairway.config import load
from fairway.dashboard.access import Access, Admitted, OwnAccess, Person
from fairway.dashboard.app import create_app
from fairway.dashboard.commands import Command
from fairway.dashboard.reach import Reach
from fairway.engine.contract.errors import Invalid, Unreachable
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


class Journal:
    """A deployment's journal, which is written while it is followed; ``end`` is the error that following ends with."""

    def __init__(self, *entries: Any) -> None:
        self._changed = threading.Condition()
        self.entries: list[Any] = list(entries)
        self.end: Exception | None = None

    def write(self, *entries: Any) -> None:
        """Go on."""
        with self._changed:
            self.entries.extend(entries)
            self._changed.notify_all()

    def lose(self, error: Exception | None) -> None:
        """Have whoever follows, or begins to, meet this error; None mends it."""
        with self._changed:
            self.end = error
            self._changed.notify_all()

    def follow(self, on_event: Callable[[dict[str, Any]], None], skip: int) -> dict[str, Any]:
        """Hand the entries over as the engine does."""
        while True:
            with self._changed:
                if self.end is not None:
                    raise self.end
                if skip >= len(self.entries):
                    self._changed.wait(10)
                    continue
                entry = self.entries[skip]
            skip += 1
            on_event({"kind": "journal", "entry": entry})
            if isinstance(entry, dict) and entry.get("kind") == "ended":
                return dict(entry)


class Host:
    """One host: ``answers`` by operation, a value or a function of the arguments; ``away`` makes it unreachable."""

    def __init__(self, **facts: Any) -> None:
        self.away = False
        self.entries: list[dict[str, Any]] = record(3)
        self.asked: list[tuple[Operation, dict[str, Any]]] = []
        self.answers: dict[Operation, Any] = {Operation.STATUS: status(**facts)}
        self.journals: dict[str, Journal] = {}
        self.log: list[str] = []

    def call(
        self, operation: Operation, on_event: Callable[[dict[str, Any]], None] | None = None, **args: Any
    ) -> dict[str, Any]:
        """Answer as the engine does."""
        self.asked.append((operation, args))
        if self.away:
            raise Unreachable("the host cannot be reached", why="connection refused", hint="check that it is up")
        if operation is Operation.HISTORY:
            return {"entries": self.entries[-args["limit"] :]}
        if operation is Operation.LEDGER:
            assert on_event is not None
            for one in self.entries:
                on_event({"kind": "entry", "entry": one})
            return {"entries": len(self.entries), "head": "", "broken_at": None, "why": "", "torn": []}
        if operation is Operation.FOLLOW:
            assert on_event is not None
            journal = self.journals.get(args["deployment"])
            if journal is None:
                raise Invalid(f"the host has no journal of a deployment {args['deployment']}", why="it was removed")
            return journal.follow(on_event, args.get("skip", 0))
        if operation is Operation.LOGS:
            assert on_event is not None
            for line in self.log:
                on_event({"kind": "log", "line": line})
            return {}
        if operation not in self.answers:
            raise Invalid(f"nothing is known of {operation.value}")
        answer = self.answers[operation]
        return dict(answer(**args) if callable(answer) else answer)

    @property
    def ended(self) -> bool:
        """Say whether the connection is gone."""
        return False

    def hang_up(self) -> None:
        """Give no answer any more."""
        self.away = True

    def close(self) -> None:
        """End the connection."""

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def submit(client: TestClient, page: str, action: str, **values: str) -> Response:
    """Send the form of a page that posts to ``action``, as a browser does: with its hidden fields, and from there."""
    found = forms(client.get(page).text)
    assert action in found, f"{page} has no form that posts to {action}: there are {sorted(found)}"
    headers = {
        "Origin": str(client.base_url).rstrip("/"),
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "navigate",
    }
    return client.post(action, data={**found[action], **values}, headers=headers, follow_redirects=False)


def forms(page: str) -> dict[str, dict[str, str]]:
    """Return the hidden fields of each form of a page that posts, by where it posts to."""
    found = _Forms()
    found.feed(page)
    return found.hidden


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hidden: dict[str, dict[str, str]] = {}
        self._now: dict[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, and what is in it."""
        has = dict(attrs)
        if tag == "form":
            self._now = self.hidden.setdefault(has.get("action") or "", {}) if has.get("method") == "post" else None
        elif tag == "input" and has.get("type") == "hidden" and self._now is not None:
            self._now[has.get("name") or ""] = has.get("value") or ""


class Onlooker:
    """Lets everybody in, as somebody whom the dashboard does not run as."""

    origins = frozenset({"http://127.0.0.1"})

    async def admit(self, request: Request) -> Admitted:
        """Return who it is."""
        return Admitted(Person("ann"), session="ann's", leaves=False)

    def leave(self, request: Request, admitted: Admitted) -> Answer:
        """Answer as for somebody who has left; who they are is known again at the next request."""
        return Answer(status_code=204)


def make_app(
    tmp_path: Path,
    hosts: dict[str, Host],
    access: Access,
    *,
    archive: Callable[[], Any] | None = None,
    toml: str = TOML,
    command: Command | None = None,
) -> FastAPI:
    """Return the dashboard over these hosts; ``archive`` connects to one, without it the registry is away."""
    (tmp_path / "fairway.toml").write_text(toml)
    config = load(tmp_path / "fairway.toml", {})

    def away() -> Any:
        raise Unreachable("the registry cannot be reached")

    reach = Reach(
        lambda name: hosts[name],  # type: ignore[arg-type,return-value]
        archive or away,
        "ada@laptop",
        command or Command(),
    )
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
def dashboard(
    tmp_path: Path,
    hosts: dict[str, Host],
    access: Access | None = None,
    *,
    archive: Callable[[], Any] | None = None,
    toml: str = TOML,
    command: Command | None = None,
) -> Iterator[TestClient]:
    """Serve the dashboard over these hosts to a client that is let in, once each host was heard."""
    own = OwnAccess("ada@laptop", 80)
    app = make_app(tmp_path, hosts, access or own, archive=archive, toml=toml, command=command)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        hear_all(app, len(hosts))
        if access is None:
            client.get("/", params={"token": own.new_token()})
        yield client
