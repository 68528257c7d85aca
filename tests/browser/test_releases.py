"""Releases and approvals as people meet them, and a signature that is made somewhere else, without JavaScript."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from fairway.engine.contract.manifest import NamedRelease
from tests.browser.test_pages import AXE, complaint
from tests.unit.dashboard.hosts import Host
from tests.unit.dashboard.story import APPROVALS, Story, usual
from tests.unit.engine.gate.signers import private_key


@pytest.fixture
def story(tmp_path: Path) -> tuple[Story, NamedRelease]:
    """A release waits for somebody's approval."""
    made, (_, _, third) = usual(tmp_path)
    return made, third.named


@pytest.fixture
def hosts(story: tuple[Story, NamedRelease]) -> dict[str, Host]:
    """The hosts of that story."""
    return {"staging": story[0].staging, "production": story[0].production}


@pytest.fixture
def archived(story: tuple[Story, NamedRelease]) -> dict[str, Any]:
    """Its archive, and an environment that asks for an approval."""
    return {"archive": lambda: story[0].archive, "toml": APPROVALS}


@pytest.mark.parametrize("width, scheme", [(360, "dark"), (1280, "light")])
def test_every_page_of_releases_fits_its_screen_and_has_nothing_that_axe_finds(
    visit: Callable[..., Page], story: tuple[Story, NamedRelease], width: int, scheme: str
) -> None:
    page = visit(color_scheme=scheme, viewport={"width": width, "height": 800})
    axe, tag = AXE.read_text(encoding="utf-8"), story[1].release.tag
    for path in ("/releases", f"/releases/{tag}", "/approvals", f"/approvals/production/{tag}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.evaluate(axe)
        assert [complaint(one) for one in page.evaluate("axe.run()")["violations"]] == [], path


def test_an_approval_is_signed_elsewhere_and_pasted_without_javascript(
    visit: Callable[..., Page], story: tuple[Story, NamedRelease], tmp_path: Path
) -> None:
    made, named = story
    page = visit(java_script_enabled=False, accept_downloads=True)
    page.get_by_role("link", name="Approvals").click()
    page.get_by_role("link", name=f"Review {named.release.tag[:11]} for production").click()
    page.get_by_text("Sign with a key that is somewhere else").click()
    page.get_by_label("Reason (may be left empty").last.fill("naïve, but right")
    page.get_by_role("button", name="Show what to sign").first.click()
    command = page.get_by_text("ssh-keygen -Y sign").inner_text().split()
    with page.expect_download() as begun:
        page.get_by_role("button", name="Download").click()
    file = tmp_path / begun.value.suggested_filename
    begun.value.save_as(file)
    command[command.index("-f") + 1] = str(private_key("ann@example.com"))
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    page.get_by_label("The content of").fill(file.with_name(f"{file.name}.sig").read_text())
    page.get_by_role("button", name="Hand it in").click()
    expect(page.get_by_role("status")).to_contain_text("Approved by ann@example.com")
    expect(page.get_by_role("heading", name="everything is met")).to_be_visible()
    (said,) = made.said_by_people(named)
    assert said.to_bytes() == file.read_bytes()
    assert said.reason == "naïve, but right"
