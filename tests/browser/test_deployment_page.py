"""A deployment's page in a real browser: it goes on by itself, and leaves alone what the reader does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from fairway.dashboard import following
from fairway.engine.contract.protocol import Operation
from tests.unit.dashboard.hosts import Host, Journal
from tests.unit.dashboard.journals import ID, SENT_BACK, UNREADY
from tests.unit.dashboard.test_deployment import figures_of

_AXE = Path(__file__).parents[2] / ".testbed/npm/node_modules/axe-core/axe.min.js"
PAGE = f"/deployments/staging/{ID}"


@pytest.fixture
def journal(hosts: dict[str, Host], monkeypatch: pytest.MonkeyPatch) -> Journal:
    """Have a deployment run on staging, up to its soak, with visitors."""
    monkeypatch.setattr(following, "_LOOK_EVERY_S", 0.1)
    seconds = iter(range(10_000))
    hosts["staging"].answers[Operation.EDGE_FIGURES] = lambda: figures_of(next(seconds))
    hosts["staging"].log = [f"line {number} of the application" for number in range(60)]
    journal = hosts["staging"].journals[ID] = Journal(*SENT_BACK[:-4])
    return journal


def test_it_goes_on_to_the_reason_without_being_loaded_again(
    visit: Callable[..., Page], hosts: dict[str, Host], journal: Journal
) -> None:
    page = visit()
    page.goto(PAGE)
    page.evaluate("window.opened = 'once'")
    expect(page.get_by_text("At most 20 s until the soak ends")).to_be_visible()
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("region", name="Requests and errors as a table")).to_contain_text("10.0")
    expect(page.get_by_role("img", name="Errors per second")).to_be_visible()
    hosts["staging"].log = ["a line that came later"]
    expect(page.get_by_text("a line that came later")).to_be_visible()
    journal.write(*SENT_BACK[-4:])
    expect(page.get_by_role("status")).to_have_text(
        "deploy of sha-bbbbbbb on staging: sent back: failed in soak with visitors on it"
    )
    expect(page.get_by_text("11.2% of 80 requests failed")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel and revert")).to_have_count(0)
    # What the reader has opened stays open, and it is the same page.
    expect(page.get_by_role("region", name="Requests and errors as a table")).to_be_visible()
    assert page.evaluate("window.opened") == "once"


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_it_fits_its_screen_and_has_nothing_that_axe_finds(
    visit: Callable[..., Page], hosts: dict[str, Host], journal: Journal, width: int, scheme: str
) -> None:
    hosts["production"].journals[ID] = Journal(*UNREADY)
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for path in (PAGE, f"/deployments/production/{ID}", "/actions/production/promote"):
        page.goto(path)
        if path == PAGE:
            expect(page.get_by_role("img", name="Errors per second")).to_be_visible()
            page.get_by_text("The same as a table").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.evaluate(_AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run()")
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found["violations"]] == [], path


def test_without_scripts_it_loads_itself_again(visit: Callable[..., Page], journal: Journal) -> None:
    page = visit(java_script_enabled=False)
    page.goto(PAGE)
    expect(page.get_by_text("running: soak")).to_be_visible()
    journal.write(*SENT_BACK[-4:])
    expect(page.get_by_text("sent back: failed in soak with visitors on it")).to_be_visible()
