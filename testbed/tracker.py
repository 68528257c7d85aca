"""Error trackers: one that speaks Sentry's API to the word of its documentation, and a real one."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from testbed.docker import STATE
from testbed.process import TestbedError, run
from testbed.waiting import wait_for

ORGANIZATION, PROJECT = "acme", "capakraken"


@dataclass(frozen=True)
class Event:
    """An error as an SDK reports it."""

    release: str
    environment: str
    type: str


class Tracker:
    """Takes what an SDK sends, makes issues of it, and answers what Sentry documents.

    Sources: Sentry's developer documentation on envelopes; its API reference on listing a
    project's issues and on creating releases and deploys.
    """

    def __init__(self, address: str) -> None:
        self.token = secrets.token_hex(32)
        self.events: list[Event] = []
        self.releases: list[dict[str, Any]] = []
        self.deploys: list[tuple[str, dict[str, Any]]] = []
        #: What every question is answered with, where it is not 200.
        self.status = 200
        self.asked = 0
        self._server = ThreadingHTTPServer((address, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://{address}:{self._server.server_port}"
        self.dsn = self.url.replace("//", f"//{secrets.token_hex(16)}@") + "/1"

    def __enter__(self) -> Tracker:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def issues(self, release: str, environment: str) -> list[dict[str, Any]]:
        """Return the kinds of error that were first seen in this environment in this release."""
        first: dict[str, str] = {}
        for event in self.events:
            if event.environment == environment:
                first.setdefault(event.type, event.release)
        return [
            {
                "id": str(number),
                "shortId": f"CAPAKRAKEN-{number}",
                "title": f"{kind}: 'forecast'",
                "permalink": f"{self.url}/organizations/{ORGANIZATION}/issues/{number}/",
                "level": "error",
                "status": "unresolved",
                "firstSeen": "2026-01-01T00:00:00Z",
            }
            for number, kind in enumerate(first, start=1)
            if first[kind] == release
        ]


def _handler(tracker: Tracker) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            tracker.asked += 1
            if not self._allowed():
                return
            words = dict(word.split(":", 1) for word in parse_qs(url.query)["query"][0].split())
            environment = parse_qs(url.query)["environment"][0]
            if url.path != f"/api/0/projects/{ORGANIZATION}/{PROJECT}/issues/" or words.pop("is") != "unresolved":
                self._answer(404, {"detail": "The requested resource does not exist"})
                return
            self._answer(200, tracker.issues(words["firstRelease"].strip('"'), environment))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("/envelope/"):
                content = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                tracker.events.extend(read_envelope(content))
                self._answer(200, {})
            elif self._allowed():
                self._announced(self.path.strip("/").split("/"), json.loads(body))

        def _announced(self, path: list[str], document: dict[str, Any]) -> None:
            if path[:4] != ["api", "0", "organizations", ORGANIZATION]:
                self._answer(404, {"detail": "The requested resource does not exist"})
            elif path[4:] == ["releases"]:
                tracker.releases.append(document)
                self._answer(201, document)
            else:
                tracker.deploys.append((unquote(path[5]), document))
                self._answer(201, document)

        def _allowed(self) -> bool:
            allowed = self.headers["Authorization"] == f"Bearer {tracker.token}"
            if not allowed:
                self._answer(401, {"detail": "Invalid token"})
            elif tracker.status != 200:
                self._answer(tracker.status, {"detail": "as the test wants it"})
            return allowed and tracker.status == 200

        def _answer(self, status: int, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    return Handler


def read_envelope(content: bytes) -> Iterator[Event]:
    """Yield the errors in an envelope: a line about it, then for each item a line about that and what it holds."""
    rest = content.partition(b"\n")[2]
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        length = header.get("length")
        held = rest[:length] if length is not None else rest.partition(b"\n")[0]
        rest = rest[len(held) :].lstrip(b"\n")
        if header.get("type") == "event":
            event = json.loads(held)
            values = (event.get("exception") or {}).get("values") or [{}]
            yield Event(event.get("release", ""), event.get("environment", ""), values[-1].get("type", ""))


class Bugsink:
    """Bugsink, a real server for what Sentry's SDKs send, with a database in a file."""

    def __init__(self, directory: Path, address: str) -> None:
        self._directory = directory
        with socket.create_server((address, 0)) as found:
            port = found.getsockname()[1]
        self._bind = f"{address}:{port}"
        self._server: subprocess.Popen[bytes] | None = None
        self.dsn = ""

    def __enter__(self) -> Bugsink:
        if not (_PROGRAMS / "bugsink-manage").exists():
            raise TestbedError("Bugsink is not here; scripts/test-tools.sh installs it")
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        (self._directory / "bugsink_conf.py").write_text(_BUGSINK.format(url=f"http://{self._bind}"), encoding="ascii")
        self._manage("migrate", "-v0")
        made = "from projects.models import Project; print('DSN', Project.objects.create(name='capakraken').dsn)"
        told = self._manage("shell", "-c", made)
        self.dsn = next(line.split()[1] for line in told.splitlines() if line.startswith("DSN "))
        self._server = subprocess.Popen(
            [_PROGRAMS / "gunicorn", "--no-control-socket", "--threads=2", "--bind", self._bind, "bugsink.wsgi"],
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for("Bugsink to listen", self._listens)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(20)
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def events(self) -> list[Event]:
        """Everything that has arrived."""
        query = 'SELECT "release", environment, calculated_type FROM events_event ORDER BY digest_order'
        database = sqlite3.connect(f"file:{self._directory}/db.sqlite3?mode=ro", uri=True)
        try:
            return [Event(*row) for row in database.execute(query)]
        finally:
            database.close()

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "HOME": str(self._directory), "PYTHONPATH": str(self._directory)}

    def _manage(self, *args: str) -> str:
        return run([_PROGRAMS / "bugsink-manage", *args], cwd=self._directory, env=self._environment).stdout

    def _listens(self) -> bool:
        host, _, port = self._bind.partition(":")
        with socket.socket() as client:
            return client.connect_ex((host, int(port))) == 0


_PROGRAMS = STATE / "bugsink" / "bin"
_BUGSINK = """\
from bugsink.settings.default import *

SECRET_KEY = "of a server that lives for a test"
SNAPPEA = {{"TASK_ALWAYS_EAGER": True}}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
BUGSINK = {{
    "BASE_URL": "{url}",
    "SINGLE_USER": True,
    "SINGLE_TEAM": True,
    "USER_REGISTRATION": "CB_NOBODY",
    "PHONEHOME": False,
}}
"""
