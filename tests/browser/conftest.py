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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; it ends with the file, since Playwright starts no second one beside it."""
    with chromium() as started:
        yield started


@pytest.fixture
def hosts() -> dict[str, Host]:
    """Two hosts where all is well, to be changed by the test."""
    return {"staging": Host(), "production": Host()}


@pytest.fixture
def archived() -> dict[str, Any]:
    """What the dashboard is given besides its hosts: an archive, and a configuration of its own."""
    return {}


@pytest.fixture
def served(tmp_path: Path, hosts: dict[str, Host], archived: dict[str, Any]) -> Iterator[Callable[[], str]]:
    """Serve the dashboard; give addresses with a token, each of which works once."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    own = OwnAccess("ada@laptop", port)
    app = make_app(tmp_path, hosts, own, **archived)
    server = Server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        hear_all(app, len(hosts))
        yield lambda: f"http://127.0.0.1:{port}/?token={own.new_token()}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
def visit(browser: Browser, served: Callable[[], str]) -> Iterator[Callable[..., Page]]:
    """Open the dashboard as a visitor of its own; what the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(**options: Any) -> Page:
        address = served()
        base = address.partition("?")[0]
        context = browser.new_context(base_url=base, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.wait_for_url(base)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # Containers that come and go on this machine change its networks, which is nothing of a page's.
    assert [one for one in complaints if "ERR_NETWORK_CHANGED" not in one] == []
