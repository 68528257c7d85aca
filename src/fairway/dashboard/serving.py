"""Serve the dashboard."""

from __future__ import annotations

import socket
import webbrowser

import uvicorn
from fastapi import FastAPI

from fairway.engine.contract.errors import Invalid


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
    # A page that is open holds a stream of events: it is not waited for.
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1))
    server.run(sockets=[listener])
