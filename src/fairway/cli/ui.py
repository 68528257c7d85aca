"""``fairway ui``."""

from __future__ import annotations

from typing import Annotated

import typer

_PORT = 8420


def ui(
    port: Annotated[int, typer.Option(help="On which port of this machine; 0 for any free one.", min=0, max=65535)] = (
        _PORT
    ),
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
) -> None:
    """Look at everything in the browser: environments, releases, deployments, backups, approvals.

    Served to this machine alone, under an address with a token that is new each time.
    It reads the hosts over SSH, as the other commands do, while somebody looks. Ctrl-C
    ends it.
    """
    from fairway.cli.context import open_archive, open_engine, whoami
    from fairway.config import load
    from fairway.engine.contract.errors import Invalid

    try:
        from fairway.dashboard.access import OwnAccess
        from fairway.dashboard.app import create_app
        from fairway.dashboard.reach import Reach
        from fairway.dashboard.serving import serve_here
    except ModuleNotFoundError as error:
        raise Invalid(
            "the dashboard's parts are not installed", why=f"{error.name} is missing", hint="pip install 'fairway[ui]'"
        ) from None

    config = load()
    access = OwnAccess(whoami())
    reach = Reach(lambda name: open_engine(config.environment(name)), lambda: open_archive(config), whoami())
    serve_here(create_app(config, reach, access), port=port, token=access.token, browser=browser)
