"""A reviewer decides in the browser: sees the difference, signs with their own key, and production takes it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from fairway.engine.contract.trust import Policy, Requirement, Role
from testbed.bed import Testbed
from testbed.browser import chromium
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving
from tests.host.test_approvals import ALLOWED, approve, gate, stage
from tests.host.trusting import Person, evidence_key, trust

POLICY = Policy(requires=(Requirement("staging"),), approvals=1, allow=ALLOWED)
# A machine that does several things at once is no reason to fail.
_WITHIN_MS = 30_000


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A reviewer."""
    return Person(tmp_path_factory.mktemp("ann"), "ann@example.com")


@pytest.fixture(scope="module")
def work(bed: Testbed, ann: Person) -> Iterator[Workspace]:
    """Ann's clone of a project whose production wants one approval; its first release serves on both."""
    made = Workspace(bed, project="t-deciding", port=19_975)
    made.configure(environments={"production": {"policy": {"approvals": 1, "allow": list(ALLOWED)}}})
    made.commit("Ask for an approval")
    for environment in ("staging", "production"):
        made.prepare_host(environment)
        made.fairway("bootstrap", environment)
    trust(made, "production", POLICY, evidence_key(made, "staging"), ann.believed_as(Role.REVIEWER))
    first = release(made)
    made.fairway("deploy", "staging", first)
    approve(made, first, ann)
    made.fairway("promote", first)
    made.git("config", "gpg.format", "ssh")
    made.git("config", "user.signingkey", str(ann.key))
    yield made
    made.remove()


@pytest.fixture
def address(work: Workspace) -> Iterator[str]:
    """Start the dashboard as Ann; return the address that it prints."""
    process = work.start_fairway("ui", "--port", "0", "--no-open")
    assert process.stdout is not None
    yield next(word for line in process.stdout for word in line.split() if word.startswith("http://127.0.0.1:"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.fixture
def browser_page() -> Iterator[Page]:
    """Open a browser."""
    expect.set_options(timeout=_WITHIN_MS)
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(_WITHIN_MS)
        yield page


def test_a_release_is_reviewed_and_approved_in_the_browser(work: Workspace, address: str, browser_page: Page) -> None:
    first = serving(work, "production")
    second = stage(work, "Second")
    assert gate(work, second)[0] == 3

    page = browser_page
    page.goto(address)
    page.get_by_role("link", name="Approvals").click()
    waiting = page.get_by_role("article", name=f"{second[:11]} Call it Second")
    expect(waiting.get_by_text("approvals: missing, 0 of 1")).to_be_visible()
    waiting.get_by_role("link", name="Review").click()
    expect(page.get_by_role("heading", name=f"Commits since {first[:11]}")).to_be_visible()
    expect(page.get_by_text("Call it Second").last).to_be_visible()
    expect(page.get_by_role("heading", name="Deploy files: the same")).to_be_visible()
    page.get_by_label("Reason (may be left empty").first.fill("looks right")
    page.get_by_role("button", name=f"Approve {second[:11]} for production").click()
    expect(page.get_by_role("status").get_by_text("Approved by ann@example.com")).to_be_visible()
    expect(page.get_by_role("heading", name="everything is met")).to_be_visible()

    assert gate(work, second)[0] == 0
    work.fairway("promote", second)
    rests_on = {(one["kind"], one["by"]) for one in history(work, "production")[-1]["evidence"]}
    assert ("approved", "ann@example.com") in rests_on

    page.get_by_role("link", name="Releases").click()
    row = page.get_by_role("row", name=second[:11])
    expect(row.get_by_text("serves since")).to_have_count(2)
    page.get_by_role("link", name="Approvals").click()
    expect(page.get_by_role("row", name="looks right").get_by_role("link", name="used")).to_be_visible()
