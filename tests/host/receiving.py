"""A receiver of notifications on this machine, as apprise's ``json://`` finds it."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from testbed.waiting import wait_for


class Receiver:
    """Takes what apprise's ``json://`` sends; it can be away and come back to where it was."""

    def __init__(self, host_address: str) -> None:
        self.token = f"hook-{secrets.token_hex(12)}"
        self.got: list[dict[str, Any]] = []
        with socket.create_connection((host_address, 22), timeout=10) as route:
            self._address = route.getsockname()[0]
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.come_back()

    @property
    def url(self) -> str:
        """The address, which is a secret."""
        return f"json://{self._address}:{self._port}/{self.token}"

    def come_back(self) -> None:
        """Listen."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.rstrip("/") == f"/{receiver.token}":
                    receiver.got.append(json.loads(content))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's word
                pass

        self._server = ThreadingHTTPServer((self._address, self._port), Handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def go_away(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def titles(self) -> list[str]:
        """What came, in its order."""
        return [one["title"].partition(": ")[2] for one in self.got]

    def await_titles(self, *titles: str) -> None:
        """Wait until exactly this has come since the last time, and forget it. Raises with what came instead."""
        wait_for(f"{titles} at the receiver, which has {self.titles}", lambda: len(self.got) >= len(titles))
        came, self.got = self.titles, []
        assert came == list(titles), came  # the test that asks cannot show what came
