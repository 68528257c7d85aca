"""Serve the dashboard."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

from fairway.engine.contract.errors import Invalid


def listen_here(port: int) -> socket.socket:
    """Return a socket that only this machine reaches. Raises ``Invalid`` when the port is taken."""
    listener = socket.socket(socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        # At once: a browser may be there before the application is.
        listener.listen()
    except OSError as error:
        listener.close()
        raise Invalid(
            f"port {port} of this machine cannot be had", why=str(error.strerror), hint="another: fairway ui --port 0"
        ) from None
    return listener


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until Ctrl-C."""
    settings = uvicorn.Config(
        app,
        log_level="warning",
        # Addresses may hold what lets somebody in.
        access_log=False,
        # Nobody's word for where a request is from is taken.
        proxy_headers=False,
        server_header=False,
        # A page that is open holds a stream of events: it is not waited for.
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(settings).run(sockets=[listener])
