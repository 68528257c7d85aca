"""Deploy, watch, cancel and go back from the dashboard, in a browser, over real hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from testbed import changes
from testbed.browser import chromium
from testbed.load import Load
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, start_on
from tests.host.browsing import Ui


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Start Chromium."""
    with chromium() as started:
        yield started


def test_a_deployment_is_begun_seen_cancelled_and_gone_back_from_in_the_browser(
    workspace: Workspace, browser: Browser
) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.retitle(work, "Second")
    # A machine that does much else is slow by itself.
    work.configure(soak={"for_s": 6, "max_slowdown": 100})
    work.commit("Watch it")
    second = release(work)
    changes.never_ready(work)
    # Long enough to be cancelled by a machine that does much else.
    work.configure(readiness={"timeout_s": 25}, soak={"for_s": 0})
    work.commit("Wait for the forecast")
    third = release(work)
    ui = Ui(work, browser)
    try:
        with Load(work.url("staging", "/api/health"), connections=2, rate_per_s=30, max_s=120):
            _deployed_live(ui, work, second)
        _gone_back(ui, work, first)
        _cancelled(ui, third)
        # Ctrl-C ends the dashboard, and not what it began.
        ui.begin(f"/actions/staging/deploy?tag={third}", "Deploy to staging")
    finally:
        ui.interrupt()
    _says_why_it_failed(work, browser)
    assert serving(work, "staging") == first
    assert [(e["action"], e["outcome"], e["tag"]) for e in history(work, "staging")] == [
        ("deploy", "succeeded", first),
        ("deploy", "succeeded", second),
        ("rollback", "succeeded", first),
        ("deploy", "cancelled", third),
        ("deploy", "failed", third),
    ]


def _deployed_live(ui: Ui, work: Workspace, tag: str) -> None:
    ui.begin(f"/actions/staging/deploy?tag={tag[:11]}", "Deploy to staging")
    page = ui.page
    page.evaluate("window.opened = 'once'")
    ui.wait_for("running: soak")
    expect(page.locator(".step.done .name", has_text="ready")).to_be_visible()
    expect(page.locator("#d-left")).to_be_visible()
    expect(page.locator("polyline.new").first).to_be_attached()
    expect(page.locator(".log")).to_contain_text("Uvicorn running")
    ui.wait_for("succeeded")
    expect(page.locator("#d-runs")).to_contain_text("ended with exit code 0")
    expect(page.get_by_role("button", name="Cancel and revert")).to_have_count(0)
    # All of that came without the page being loaded again.
    assert page.evaluate("window.opened") == "once"
    assert serving(work, "staging") == tag


def _gone_back(ui: Ui, work: Workspace, first: str) -> None:
    ui.page.goto("/actions/staging/rollback")
    expect(ui.page.get_by_role("region", name="Releases that can be gone back to")).to_contain_text(first[:11])
    ui.begin("/actions/staging/rollback", f"Roll back staging to {first[:11]}")
    ui.wait_for("succeeded")
    assert serving(work, "staging") == first


def _cancelled(ui: Ui, tag: str) -> None:
    ui.begin(f"/actions/staging/deploy?tag={tag}", "Deploy to staging")
    ui.wait_for("running: ready")
    expect(ui.page.locator(".step.running")).to_contain_text("forecast:8080 is not there")
    ui.page.get_by_role("button", name="Cancel and revert").click()
    ui.wait_for("cancelled, was undone")


def _says_why_it_failed(work: Workspace, browser: Browser) -> None:
    ui = Ui(work, browser)
    try:
        ui.page.goto("/deployments/staging/latest")
        ui.wait_for("failed in ready, was undone")
        expect(ui.page.locator("#d-head")).to_contain_text("was not ready within 25 s")
        expect(ui.page.locator("#d-head")).to_contain_text("the forecast service at forecast:8080 is not there")
    finally:
        ui.interrupt()
