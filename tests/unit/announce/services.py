"""Services on this machine that take what is announced: GitHub's interface as it is documented, and any other."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

# docs.github.com/rest/deployments/deployments#create-a-deployment, and the pages beside it: what a body may have.
_TEXT = {"type": "string"}
_SHORT = {"type": "string", "maxLength": 140}
_LINK = {"type": "string", "pattern": "^https?://"}
_STATES = ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"]
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "deployment": (
        r"/repos/acme/capakraken/deployments",
        {
            "required": ["ref"],
            "properties": {
                "ref": _TEXT,
                "task": _TEXT,
                "auto_merge": {"type": "boolean"},
                "required_contexts": {"type": ["array", "null"], "items": _TEXT},
                "payload": {"type": ["object", "string"]},
                "environment": _TEXT,
                "description": {"type": ["string", "null"], "maxLength": 140},
                "transient_environment": {"type": "boolean"},
                "production_environment": {"type": "boolean"},
            },
        },
    ),
    "deployment status": (
        r"/repos/acme/capakraken/deployments/4711/statuses",
        {
            "required": ["state"],
            "properties": {
                "state": {"enum": _STATES},
                "target_url": _LINK,
                "log_url": _LINK,
                "description": _SHORT,
                "environment": _TEXT,
                "environment_url": _LINK,
                "auto_inactive": {"type": "boolean"},
            },
        },
    ),
    "commit status": (
        r"/repos/acme/capakraken/statuses/[0-9a-f]{40}",
        {
            "required": ["state"],
            "properties": {
                "state": {"enum": ["error", "failure", "pending", "success"]},
                "target_url": {"type": ["string", "null"]},
                "description": {"type": ["string", "null"], "maxLength": 140},
                "context": _TEXT,
            },
        },
    ),
}

Answer = tuple[int, bytes]


@dataclass
class Received:
    """What has come to a service: path, header fields (in lower case) and body, in order."""

    url: str
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)


@contextmanager
def serve(answer: Callable[[str, Mapping[str, str], bytes], Answer]) -> Iterator[Received]:
    """Answer POST requests on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {key.lower(): value for key, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            received.requests.append((self.path, headers, body))
            status, content = answer(self.path, headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *said: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Received(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()


class GitHubDouble:
    """Takes only what GitHub documents, with a token; keeps each body by what it is."""

    token = "ghs_" + "x1Y2" * 9

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        #: What it refuses, by the kind of a body: each answer is given once, the last for ever.
        self.refusing: dict[str, list[Answer]] = {}

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer as GitHub does."""
        if headers.get("authorization") != f"Bearer {self.token}":
            return 401, b'{"message": "Bad credentials"}'
        assert headers["accept"] == "application/vnd.github+json"
        assert headers["x-github-api-version"] == "2022-11-28"
        assert headers["user-agent"]
        kind = next((name for name, (pattern, _) in BODIES.items() if re.fullmatch(pattern, path)), "")
        if not kind:
            return 404, b'{"message": "Not Found"}'
        document = json.loads(body)
        schema = {"type": "object", "additionalProperties": False, **BODIES[kind][1]}
        if problems := [error.message for error in Draft202012Validator(schema).iter_errors(document)]:
            return 422, json.dumps({"message": "; ".join(problems)}).encode()
        if refusals := self.refusing.get(kind):
            return refusals.pop(0) if len(refusals) > 1 else refusals[0]
        self.heard.append((kind, document))
        return 201, json.dumps({"id": 4711, "statuses_url": "https://api.github.com/..."}).encode()
