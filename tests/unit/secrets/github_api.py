"""The part of GitHub's REST and GraphQL APIs that ``gh secret`` speaks to, on a Unix socket.

It holds what was set as GitHub would: sealed to a key of its own, which opens it. Shapes are those of
https://docs.github.com/en/rest/actions/secrets.
"""

from __future__ import annotations

import base64
import json
import re
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from nacl.public import PrivateKey, SealedBox

_SECRETS = re.compile(r"/api/v3/repos/acme/shop/environments/(?P<environment>[^/]+)/secrets(?:/(?P<name>[^/?]+))?")


class GitHub(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A server with one repository, ``acme/shop``, and the environments it is told of."""

    daemon_threads = True

    def __init__(self, socket: Path, token: str, *environments: str) -> None:
        self.token = token
        self.key = PrivateKey.generate()
        self.sealed: dict[str, dict[str, str]] = {name: {} for name in environments}
        self.forbidden = False
        super().__init__(str(socket), _Handler)

    def __enter__(self) -> GitHub:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def opened(self, environment: str) -> dict[str, str]:
        """Open what was set, as a job of that environment gets to see it."""
        box = SealedBox(self.key)
        return {name: box.decrypt(base64.b64decode(text)).decode() for name, text in self.sealed[environment].items()}


class _Handler(BaseHTTPRequestHandler):
    server: GitHub

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass

    def address_string(self) -> str:
        return "gh"

    def _answer(self, status: int, document: Any = None) -> None:
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("X-Oauth-Scopes", "repo, read:org")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")

    def _refused(self) -> bool:
        if self.headers.get("Authorization") != f"token {self.server.token}":
            self._answer(401, {"message": "Bad credentials"})
            return True
        return False

    def do_POST(self) -> None:
        body = self._body()
        if self._refused():
            return
        if "viewer" in body["query"]:
            self._answer(200, {"data": {"viewer": {"login": "ada"}}})
        else:
            self._answer(200, {"data": {"repository": {"id": "R_1", "name": "shop", "owner": {"login": "acme"}}}})

    def do_GET(self) -> None:
        if self._refused():
            return
        found = _SECRETS.match(self.path)
        if found is None:
            self._answer(200, {}) if self.path == "/api/v3/" else self._answer(404, {"message": "Not Found"})
        elif self.server.forbidden:
            self._answer(403, {"message": "Resource not accessible by personal access token"})
        elif found["environment"] not in self.server.sealed:
            self._answer(404, {"message": "Not Found"})
        elif found["name"] == "public-key":
            self._answer(200, {"key_id": "7", "key": base64.b64encode(bytes(self.server.key.public_key)).decode()})
        else:
            names = self.server.sealed[found["environment"]]
            rows = [{"name": name, "created_at": _AT, "updated_at": _AT} for name in names]
            self._answer(200, {"total_count": len(rows), "secrets": rows})

    def do_PUT(self) -> None:
        body = self._body()
        if self._refused():
            return
        found = _SECRETS.match(self.path)
        if found is None or body["key_id"] != "7":
            self._answer(422, {"message": "Validation Failed"})
            return
        self.server.sealed[found["environment"]][found["name"]] = body["encrypted_value"]
        self._answer(201, {})


_AT = "2026-01-02T03:04:05Z"
