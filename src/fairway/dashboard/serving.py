"""Serve the dashboard."""

from __future__ import annotations

import grp
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from fairway.engine.contract.errors import Invalid


class Server(uvicorn.Server):
    """Serves the dashboard, and ends at once though pages are open: each holds a stream of events."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(_settings(app))
        self._observers = app.state.desk.observers

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then all the rest."""
        self._observers.hang_up()
        await super().shutdown(sockets)


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


@contextmanager
def listen_at(path: Path, group: str | None) -> Iterator[socket.socket]:
    """Give a unix socket that this user alone can open, or with ``group`` its members, too.

    Raises ``Invalid`` when that cannot be made sure of.
    """
    _refuse_shared_directory(path)
    _clear(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        except OSError as error:
            raise Invalid(f"there can be no socket {path}", why=error.strerror or str(error)) from None
        finally:
            os.umask(before)
        if group is not None:
            _hand_over(path, group)
        # Until now nobody could connect, whoever they are.
        listener.listen(128)
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _refuse_shared_directory(path: Path) -> None:
    if not path.is_absolute() or not path.parent.is_dir():
        raise Invalid(
            f"there can be no socket {path}",
            why="it needs a directory that is there, by its full path",
            hint="such as /run/fairway-ui/ui.sock; systemd's RuntimeDirectory= makes the directory",
        )
    if path.parent.stat().st_mode & stat.S_IWOTH:
        raise Invalid(
            f"there can be no socket {path}",
            why=f"everybody can write in {path.parent}, and put another in its place",
            hint="give it a directory of its own, such as /run/fairway-ui",
        )


def _clear(path: Path) -> None:
    """Take away what a dashboard that was killed has left."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Invalid(f"{path} is there and is no socket", hint="name another path")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise Invalid(f"{path} belongs to another", why=error.strerror or str(error)) from None
    raise Invalid(f"{path} is in use", why="a dashboard answers there already")


def _hand_over(path: Path, group: str) -> None:
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        raise Invalid(f"there is no group {group[:60]!r} on this host", hint="name that of the reverse proxy") from None
    try:
        os.chown(path, -1, number)
    except PermissionError:
        raise Invalid(
            f"the socket cannot be given to the group {group}",
            why="this user is not in it",
            hint=f"SupplementaryGroups={group} in the unit of systemd",
        ) from None
    path.chmod(0o660)


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until Ctrl-C."""
    Server(app).run(sockets=[listener])


def _settings(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        # Addresses may hold what lets somebody in.
        access_log=False,
        # Nobody's word for where a request is from is taken.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
