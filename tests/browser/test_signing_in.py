"""Coming in with a real browser: by the file that holds the address, and by a provider."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.unit.dashboard.team import PROJECT, ROOT, SECRET, free_port, nginx, provider, running, team_dashboard, told


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Start ``fairway ui``; give what it told the browser to open, and the address in the terminal."""
    (tmp_path / "fairway.toml").write_text(PROJECT)
    (tmp_path / "open").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "open").chmod(0o755)
    settings = {"PYTHONPATH": str(ROOT / "src"), "HOME": str(tmp_path), "BROWSER": str(tmp_path / "open")}
    with running([sys.executable, "-m", "fairway", "ui", "--port", "0"], tmp_path, **settings) as program:
        address = told(program, tmp_path).removeprefix("Fairway: ")
        yield told(program, tmp_path), address


def test_the_browser_comes_in_by_a_file_and_keeps_no_token(browser: Browser, started: tuple[str, str]) -> None:
    opened, address = started
    base = address.partition("?")[0]
    assert re.fullmatch(r"file:///\S+/open\.html", opened), "the arguments of a program are for all to see"
    file = Path(opened.removeprefix("file://"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with browser.new_context() as context:
        page = context.new_page()
        seen: list[str] = []
        page.on("request", lambda request: seen.append(request.headers.get("referer", "")))
        page.goto(opened)
        page.wait_for_url(base)
        expect(page.get_by_role("heading", name="Environments")).to_be_visible()
        assert "token" not in page.title() + page.content() + "".join(seen)
        assert page.evaluate("document.cookie") == ""
        # Its own history leads nowhere else.
        page.goto(address)
        page.wait_for_url(base)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="signed out")).to_be_visible()
        page.goto(base)
        expect(page.get_by_role("heading", name="not signed in")).to_be_visible()


def test_a_page_of_another_port_can_neither_act_nor_read(
    browser: Browser, started: tuple[str, str], tmp_path: Path
) -> None:
    """Cookies know no ports: another port of this machine is the same site to a browser."""
    _, address = started
    base = address.partition("?")[0]
    other = tmp_path / "other"
    other.mkdir()
    (other / "evil.html").write_text(
        f'<form method="post" action="{base}sign-out"><button>Win</button></form><iframe src="{base}"></iframe>'
    )
    port = str(free_port())
    serve = [sys.executable, "-u", "-m", "http.server", port, "--bind", "127.0.0.1"]
    with running(serve, other) as program, browser.new_context() as context:
        told(program, other)
        page = context.new_page()
        page.goto(address)
        page.wait_for_url(base)
        page.goto(f"http://127.0.0.1:{port}/evil.html")
        read = page.evaluate(f"fetch('{base}api/environments', {{credentials: 'include'}}).then(() => 1, () => 0)")
        assert read == 0
        assert page.frames[1].evaluate("document.body ? document.body.innerText : ''").find("capakraken") == -1
        page.get_by_role("button", name="Win").click()
        expect(page.get_by_role("heading", name="sent by another site")).to_be_visible()
        page.goto(base)
        expect(page.get_by_role("heading", name="Environments")).to_be_visible()


def test_a_viewer_comes_in_by_the_provider_and_back_to_the_page_they_wanted(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with provider(tmp_path, url) as issuer:
        table = (
            f'[dashboard]\nurl = "{url}"\nviewers = ["ada@example.com"]\n'
            f'[dashboard.oidc]\nissuer = "{issuer}"\nclient_id = "fairway"\n'
        )
        with (
            team_dashboard(tmp_path, table, FAIRWAY_OIDC_CLIENT_SECRET=SECRET),
            nginx(tmp_path, port),
            browser.new_context() as context,
        ):
            page = context.new_page()
            page.goto(f"{url}/?from=mail")
            page.locator("[name=login]").fill("ada")
            page.locator("[name=password]").fill("any")
            page.locator("[type=submit]").click()
            page.get_by_role("button", name="Continue").click()
            page.wait_for_url(f"{url}/?from=mail")
            expect(page.get_by_text("Ada@example.com")).to_be_visible()
            expect(page.get_by_role("heading", name="staging")).to_be_visible()
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_role("link", name="Sign in")).to_be_visible()
