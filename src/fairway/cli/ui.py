"""``fairway ui``."""

from __future__ import annotations

import os
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fairway.config import Config
    from fairway.dashboard.reach import Reach

_PORT = 8420
_PARTS = ("authlib", "fastapi", "httpx2", "python_multipart", "uvicorn")


def ui(
    port: Annotated[
        int | None,
        typer.Option(help=f"On which port of this machine; {_PORT} by default, 0 for any.", min=0, max=65535),
    ] = None,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
    unix_socket: Annotated[
        Path | None, typer.Option("--socket", metavar="PATH", help="For a team, behind a host's nginx: on this socket.")
    ] = None,
    group: Annotated[
        str | None, typer.Option("--socket-group", help="Who may open the socket besides this user: nginx's group.")
    ] = None,
) -> None:
    """Look at everything in the browser: environments, releases, deployments, backups, approvals.

    Served to this machine alone, to whoever has the address in the terminal, which works
    once. It reads the hosts over SSH, as the other commands do, while somebody looks.
    Ctrl-C ends it.

    With --socket it is for a team, on a host: people sign in as [dashboard] in
    fairway.toml says, and can look, and nothing else.
    """
    from fairway.cli.context import open_archive, open_engine, whoami
    from fairway.config import load
    from fairway.dashboard.reach import Reach
    from fairway.engine.contract.errors import Invalid

    missing = [name for name in _PARTS if find_spec(name) is None]
    if missing:
        raise Invalid(
            "the dashboard's parts are not installed",
            why=f"missing: {', '.join(missing)}",
            hint="pip install 'fairway[ui]'",
        )
    if unix_socket is not None and port is not None:
        raise Invalid("the dashboard is either on a port of this machine or on a socket", hint="keep one of them")
    if group is not None and unix_socket is None:
        raise Invalid("--socket-group says who may open the socket, and there is none", hint="add --socket")
    config = load()
    reach = Reach(lambda name: open_engine(config.environment(name)), lambda: open_archive(config), whoami())
    if unix_socket is not None:
        _serve_team(config, reach, unix_socket, group)
    else:
        _serve_person(config, reach, _PORT if port is None else port, browser=browser)


def _serve_person(config: Config, reach: Reach, port: int, *, browser: bool) -> None:
    from fairway.dashboard.access import OwnAccess
    from fairway.dashboard.app import create_app
    from fairway.dashboard.opening import opened
    from fairway.dashboard.serving import listen_here, serve

    listener = listen_here(port)
    port = listener.getsockname()[1]

    def address() -> str:
        return f"http://127.0.0.1:{port}/?token={access.new_token()}"

    def show() -> None:
        print(f"Fairway: {address()}", flush=True)

    access = OwnAccess(reach.person, port, used=show)
    app = create_app(config, reach, access)
    show()
    with opened(address()) if browser else nullcontext():
        serve(app, listener)


def _serve_team(config: Config, reach: Reach, path: Path, group: str | None) -> None:
    from fairway.dashboard.access.team import team_access
    from fairway.dashboard.app import create_app
    from fairway.dashboard.serving import listen_at, serve

    access = team_access(config, os.environ)
    with listen_at(path, group) as listener:
        print(f"Fairway: {config.dashboard.url}, by {path}", flush=True)
        serve(create_app(config, reach, access), listener)
