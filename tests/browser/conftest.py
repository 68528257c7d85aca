"""The dashboard over hosts that answer as a test says, in a real browser."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from fairway.dashboard.access import OwnAccess
from fairway.dashboard.serving import Server
from testbed.browser import chromium
from tests.unit.dashboard.hosts import Host, hear_all, make_app

# A machine that does several things at once is no reason to fail.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium once."""
    with chromium() as started:
        yield started


@pytest.fixture
def hosts() -> dict[str, Host]:
    """Two hosts where all is well, to be changed by the test."""
    return {"staging": Host(), "production": Host()}


@pytest.fixture
def served(tmp_path: Path, hosts: dict[str, Host]) -> Iterator[str]:
    """Serve the dashboard; return the address with its token."""
    own = OwnAccess("ada@laptop")
    app = make_app(tmp_path, hosts, own)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        hear_all(app, len(hosts))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/?token={own.token}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
def visit(browser: Browser, served: str) -> Iterator[Callable[..., Page]]:
    """Open the dashboard as a visitor of its own; what the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(base_url=served.partition("/?")[0], **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
