"""A browser in front of the images that were built: what an administrator sees and does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

BASE_URL = os.environ.get("BASE_URL", "http://127.0.0.1:3000")
# Of docker-compose.ci.yml, where they are made up as well.
EMAIL, PASSWORD, NEVER_SHOWN = "admin@example.com", "correct-horse", "never-to-be-shown"
# A machine that does several things at once is no reason to fail.
expect.set_options(timeout=20_000)
_BROWSERS = ("chromium", "google-chrome", "chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium: what Playwright would download is not wanted."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    assert program, "there is no Chromium here; Debian: apt-get install chromium"
    # Chromium refuses its sandbox to root, which a container's user often is.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Open pages, each as of a visitor of its own."""
    opened: list[BrowserContext] = []

    def open_page() -> Page:
        opened.append(browser.new_context(base_url=BASE_URL))
        return opened[-1].new_page()

    yield open_page
    for context in opened:
        context.close()


def sign_in(page: Page) -> Page:
    """Sign in as the administrator, who comes to the timeline."""
    page.goto("/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("columnheader", name="Person")).to_be_visible()
    return page


def test_nobody_gets_in_without_the_password(visit: Callable[[], Page]) -> None:
    page = visit()
    page.goto("/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not a known e-mail and password.")


def test_hours_planned_on_one_page_come_to_another_by_themselves(visit: Callable[[], Page]) -> None:
    planner, watcher = sign_in(visit()), sign_in(visit())
    for page in (planner, watcher):
        expect(page.locator("#live")).to_have_text("live")
    cell = "td[data-cell] input >> nth=0"
    expect(watcher.locator(cell)).not_to_have_value("17.5")
    planner.locator(cell).fill("17,5")
    planner.locator(cell).blur()
    expect(watcher.locator(cell)).to_have_value("17.5")
    planner.reload()
    expect(planner.locator(cell)).to_have_value("17.50")


def test_the_administrator_sees_where_secrets_come_from_and_no_value(visit: Callable[[], Page]) -> None:
    page = sign_in(visit())
    page.get_by_role("link", name="Secrets").click()
    expect(page.get_by_role("heading", name="Secrets")).to_be_visible()
    expect(page.locator("tr[data-secret=OPENAI_API_KEY]")).to_contain_text("environment")
    expect(page.locator("tr[data-secret=GEMINI_API_KEY]")).not_to_contain_text("environment")
    assert NEVER_SHOWN not in page.content()
    expect(page.get_by_role("textbox")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
