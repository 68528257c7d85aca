"""Serve the dashboard."""

from __future__ import annotations

import socket
import webbrowser

import uvicorn
from fastapi import FastAPI

from fairway.engine.contract.errors import Invalid


class Server(uvicorn.Server):
    """Serves the dashboard, and ends at once though pages are open: each holds a stream of events."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3))
        self._observers = app.state.desk.observers

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then all the rest."""
        self._observers.hang_up()
        await super().shutdown(sockets)


def serve_here(app: FastAPI, *, port: int, token: str, browser: bool) -> None:
    """Serve this machine's own user until Ctrl-C. Raises ``Invalid`` when the port is taken."""
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        raise Invalid(
            f"port {port} of this machine cannot be had", why=str(error.strerror), hint="another: fairway ui --port 0"
        ) from None
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={token}"
    print(f"Fairway: {address}", flush=True)
    if browser:
        webbrowser.open(address)
    Server(app).run(sockets=[listener])
