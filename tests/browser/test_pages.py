"""The dashboard as people meet it: by keyboard, on a phone, without JavaScript, in the dark, read aloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from fairway.engine.contract.protocol import Operation
from tests.unit.dashboard.hosts import Host, record, status
from tests.unit.dashboard.test_backups import LIST
from tests.unit.observe.records import entry, tag

AXE = Path(__file__).parents[2] / ".testbed/npm/node_modules/axe-core/axe.min.js"
_PAGES = ("/", "/environments/production", "/history", "/backups")
_ROLLBACK = {"release": "sha256:1", "served_at": "2026-06-29T10:00:00.000Z", "image": True, "warm": True}


@pytest.fixture
def hosts() -> dict[str, Host]:
    """Have as much to show as there can be."""
    trouble = {
        "drift": ["app-blue: its container was replaced by hand"],
        "locked": {"by": "bo", "since": "2026-06-30T11:00:00.000Z", "reason": "tax season"},
        "rollbacks": [{**_ROLLBACK, "tag": tag("b"), "possible": False, "why": "0007 drops a column", "seconds": 3.0}],
        "schema": {"applied": ["0001_init"]},
    }
    found = {"staging": Host(), "production": Host(**trouble)}
    error = {"what": "it does worse than the release before", "why": "14 of 80 requests failed", "hint": "mend it"}
    found["production"].entries = [*record(80), {"n": 81, **entry(0.01, "deploy", "f", "failed", error=error)}]
    for host in found.values():
        host.answers[Operation.BACKUP_LIST] = LIST
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_its_screen_and_has_nothing_that_axe_finds(
    visit: Callable[..., Page], scheme: str, width: int
) -> None:
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 800})
    axe = AXE.read_text(encoding="utf-8")
    for path in _PAGES:
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.evaluate(axe)
        found = page.evaluate("axe.run()")
        assert [complaint(one) for one in found["violations"]] == [], path


def complaint(violation: Mapping[str, Any]) -> str:
    """Return what axe found, with where."""
    return f"{violation['id']}: " + "; ".join(str(node["html"])[:120] for node in violation["nodes"])


def test_the_content_is_one_key_away_and_everything_else_is_reached_by_tab(visit: Callable[..., Page]) -> None:
    page = visit()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="staging", exact=True).first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("staging")


def test_an_open_page_shows_what_changes_without_being_loaded_again(
    visit: Callable[..., Page], hosts: dict[str, Host]
) -> None:
    page = visit()
    card = page.get_by_role("article", name="staging")
    expect(card).to_contain_text("serves, and agrees with the record")
    page.evaluate("window.kept = true")
    hosts["staging"].answers[Operation.STATUS] = status(drift=["app-blue is gone"])
    expect(card).to_contain_text("app-blue is gone")
    hosts["staging"].away = True
    expect(card).to_contain_text("connection refused")
    assert page.evaluate("window.kept") is True


def test_without_javascript_pages_are_whole_and_filters_work(visit: Callable[..., Page]) -> None:
    page = visit(java_script_enabled=False)
    expect(page.get_by_role("article", name="production")).to_contain_text("tax season")
    page.get_by_role("link", name="History", exact=True).click()
    page.get_by_label("Outcome").select_option("failed")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("status")).to_have_text("1 entry")
    page.get_by_text("it does worse than the release before").click()
    expect(page.get_by_text("14 of 80 requests failed")).to_be_visible()


def test_older_entries_are_a_page_away(visit: Callable[..., Page]) -> None:
    page = visit()
    page.goto("/history?environment=production")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("status")).to_have_text("81 entries, page 2 of 2")
    expect(page.get_by_role("row")).to_have_count(32)


def test_what_is_focused_and_what_is_opened_stay_so_while_the_page_changes(
    visit: Callable[..., Page], hosts: dict[str, Host]
) -> None:
    page = visit()
    page.get_by_text("it does worse than the release before").click()
    link = page.get_by_role("article", name="staging").get_by_role("link").nth(1)
    link.focus()
    hosts["staging"].answers[Operation.STATUS] = status(drift=["app-blue is gone"])
    expect(page.get_by_role("article", name="staging")).to_contain_text("app-blue is gone")
    expect(link).to_be_focused()
    page.get_by_role("link", name="production", exact=True).first.click()
    page.get_by_text("it does worse than the release before").click()
    hosts["production"].answers[Operation.STATUS] = status(drift=["app-green is gone"])
    expect(page.get_by_role("article", name="production")).to_contain_text("app-green is gone")
    expect(page.get_by_text("14 of 80 requests failed")).to_be_visible()


_SEEN = """(seen) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => !seen });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_more_tabs_can_be_open_than_a_browser_has_connections(
    visit: Callable[..., Page], hosts: dict[str, Host]
) -> None:
    first = visit()
    pages = [first]
    for _ in range(7):
        pages[-1].evaluate(_SEEN, False)
        page = first.context.new_page()
        page.goto("/", timeout=10_000)
        expect(page.get_by_role("article", name="staging")).to_be_visible()
        pages.append(page)
    pages[-1].evaluate(_SEEN, False)
    first.evaluate(_SEEN, True)
    hosts["staging"].answers[Operation.STATUS] = status(drift=["app-blue is gone"])
    expect(first.get_by_role("article", name="staging")).to_contain_text("app-blue is gone")
