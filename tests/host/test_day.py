"""A day in the life: a bad release soaks and is sent back by itself, and everybody who asks is told the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from prometheus_client.parser import text_string_to_metric_families

from testbed import changes
from testbed.bed import Testbed
from testbed.browser import chromium
from testbed.host import USER
from testbed.load import Load
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, status
from tests.host.browsing import Ui
from tests.host.receiving import Receiver

PORT = 19_989
EVENTS = ["deployed", "failed", "sent-back", "down", "up", "drift"]


@pytest.fixture(scope="module")
def receiver(bed: Testbed) -> Iterator[Receiver]:
    made = Receiver(bed.host("production").address)
    yield made
    made.go_away()


@pytest.fixture(scope="module")
def work(bed: Testbed, receiver: Receiver) -> Iterator[Workspace]:
    """A project whose production is watched and tells people; its first release serves on both."""
    made = Workspace(bed, project="t-day", port=PORT)
    production = {
        "url": made.host("production").http(PORT),
        "notifications": [{"url_key": "OPS_URL", "events": EVENTS}],
    }
    # Nobody visits staging, so that it finds nothing in the bad one; a machine that does much else is slow by itself.
    soak = {"for_s": 8, "min_requests": 20, "max_slowdown": 1000}
    made.configure(environments={"production": production}, soak=soak)
    made.commit("Soak, and be watched")
    for environment in ("staging", "production"):
        made.prepare_host(environment, {"OPS_URL": receiver.url} if environment == "production" else {})
        # Watching is by a timer that only root can set up, which is complained of: here the test is the timer.
        made.fairway("bootstrap", environment, check=False)
    yield made
    made.remove()


def _look(work: Workspace) -> None:
    """Have production's host look at its front door, as its timer does each minute."""
    engine = f"{work.deploy_path}/.fairway/engine/current"
    work.host("production").sh(f"python3 -I {engine} scheduled look", user=USER)


def _promote(work: Workspace) -> tuple[str, int]:
    """Stage what is committed and promote it; return its tag and the promotion's exit code."""
    tag = release(work)
    work.fairway("deploy", "staging", tag)
    return tag, work.fairway("promote", tag, check=False).returncode


def test_a_bad_release_is_sent_back_and_every_account_of_the_day_agrees(work: Workspace, receiver: Receiver) -> None:
    good, code = _promote(work)
    assert code == 0
    receiver.await_titles(f"{good[:11]} serves")
    _look(work)

    changes.fails_for_visitors(work)
    with Load(work.url("production", "/api/health"), connections=4, rate_per_s=50, max_s=240) as load:
        bad, code = _promote(work)
    _look(work)
    assert code == 1
    assert serving(work, "production") == good
    assert set(load.report.reasons) == {"HTTP 500"}

    _people_are_told_once(work, receiver, bad)
    _the_dashboard_shows_why(work, good, bad)
    _the_figures_are_those_of_the_record(work)
    _visitors_were_never_without_an_answer(work)
    assert status(work, "production")["drift"] == []


def _people_are_told_once(work: Workspace, receiver: Receiver, bad: str) -> None:
    receiver.await_titles(f"{bad[:11]} was sent back by itself")
    _look(work)  # which tells whatever was not told
    assert receiver.got == []


def _the_dashboard_shows_why(work: Workspace, good: str, bad: str) -> None:
    with chromium() as browser:
        ui = Ui(work, browser)
        try:
            card = ui.page.get_by_role("article", name="production")
            expect(card).to_contain_text(good[:11])
            expect(card).to_contain_text("up")
            ui.page.get_by_role("link", name="Releases").click()
            row = ui.page.get_by_role("row", name=bad[:11])
            expect(row).to_contain_text("sent back")
            ui.page.goto("/deployments/production/latest")
            ui.wait_for("sent back")
            head = ui.page.locator("#d-head")
            expect(head).to_contain_text(f"{bad[:11]} does worse than the release before")
            expect(head).to_contain_text("requests failed (")
        finally:
            ui.interrupt()


def _the_figures_are_those_of_the_record(work: Workspace) -> None:
    record = history(work, "production")
    assert [(one["action"], one["outcome"], one.get("failed_in")) for one in record] == [
        ("deploy", "succeeded", None),
        ("deploy", "failed", "soak"),
    ]
    shown = work.fairway("metrics", "show", "production").stdout
    values = {
        (sample.name, sample.labels.get("action"), sample.labels.get("outcome")): sample.value
        for family in text_string_to_metric_families(shown)
        for sample in family.samples
    }
    for outcome in ("succeeded", "failed"):
        counted = sum(one["outcome"] == outcome for one in record)
        assert values["fairway_deployments_total", "deploy", outcome] == counted
    took = sum(one["seconds"] for one in record)
    assert values["fairway_deployment_duration_seconds_sum", "deploy", None] == pytest.approx(took, abs=0.01)
    dora = json.loads(work.fairway("metrics", "dora", "production", "--json").stdout)
    assert (dora["attempts"], dora["succeeded"], dora["sent_back"], dora["failed_unseen"]) == (2, 1, 1, 0)
    assert dora["time_to_restore"]["count"] == 1


def _visitors_were_never_without_an_answer(work: Workspace) -> None:
    done = work.fairway("uptime", "production", "--json")
    (seen,) = json.loads(done.stdout)["production"]
    assert (seen["state"], seen["availability"]["day"], seen["outages"]) == ("up", 1.0, [])
