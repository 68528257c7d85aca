"""The releases by environment, and a release by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairway.engine.contract.migrations import Verdict
from fairway.engine.contract.names import Digest
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.statement import Kind
from fairway.engine.contract.trust import Role
from tests.unit.dashboard.hosts import Host, dashboard
from tests.unit.dashboard.story import ago, migrations, usual, written

HOSTILE = "<script>alert(1)</script> \x1b[31m\u202egnitset"


def test_a_release_is_told_by_what_became_of_it_in_each_environment(tmp_path: Path) -> None:
    story, (first, second, third) = usual(tmp_path)
    story.say(second.named, Kind.REJECTED, "ann@example.com", Role.REVIEWER, "production", reason="the timeline jumps")
    with story.served() as client:
        found = client.get("/api/releases").json()
    assert [row["tag"] for row in found["rows"]] == [one.named.release.tag for one in (third, second, first)]
    assert [row["subject"] for row in found["rows"]] == ["Show hours by week", "Try another timeline", "Begin"]
    states = [[cell["state"] for cell in row["cells"]] for row in found["rows"]]
    assert states == [["serves", "never"], ["sent back", "never"], ["served", "serves"]]
    newest, failed, oldest = (row["cells"] for row in found["rows"])
    assert newest[1]["coming"] == {"count": 2, "verdict": "contract"}
    assert [said["kind"] for said in newest[0]["said"]] == ["ready"]
    assert failed[0]["why"] == "it does worse than the release before"
    assert failed[1]["said"][0]["words"] == "the timeline jumps"
    # What is there already, or was there before, brings nothing.
    assert (oldest[0]["coming"], oldest[1]["coming"]) == (None, None)
    assert oldest[0]["until"] is not None


@pytest.mark.parametrize(
    "facts, state",
    [
        ({"outcome": "failed", "failed_in": "ready", "error": {"what": "not ready", "exit_code": 1}}, "failed"),
        ({"outcome": "failed", "failed_in": "switch", "error": {"what": "no", "exit_code": 1}}, "sent back"),
        ({"outcome": "failed", "error": {"what": "may not go", "exit_code": 3}}, "refused"),
        ({"outcome": "cancelled"}, "cancelled"),
    ],
)
def test_an_attempt_that_did_not_end_well_says_how(tmp_path: Path, facts: dict[str, Any], state: str) -> None:
    story, (first, _, third) = usual(tmp_path)
    story.production.record(third.named, ago(minutes=9), **facts)
    with story.served() as client:
        newest, _, oldest = client.get("/api/releases").json()["rows"]
    assert newest["cells"][1]["state"] == state
    # It served there, and has not stopped for that.
    assert (oldest["tag"], oldest["cells"][1]["state"]) == (first.named.release.tag, "serves")


def test_a_release_that_came_back_serves_again(tmp_path: Path) -> None:
    story, (first, _, _) = usual(tmp_path)
    story.staging.serve(first.named, ago(minutes=2), "rollback")
    with story.served() as client:
        newest, _, oldest = client.get("/api/releases").json()["rows"]
        page = client.get(f"/api/releases/{first.named.release.tag}?environment=staging").json()
    assert [newest["cells"][0]["state"], oldest["cells"][0]["state"]] == ["served", "serves"]
    assert page["difference"]["replaced"]
    assert [one["subject"] for one in page["difference"]["commits"]["go"]] == [
        "Show hours by week",
        "Try another timeline",
    ]


def test_the_pages_of_releases_begin_with_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairway.dashboard.views.matrix.PAGE_SIZE", 2)
    story, (oldest, _, newest) = usual(tmp_path)
    with story.served() as client:
        first, second = (client.get(f"/api/releases?page={n}").json() for n in (1, 2))
        assert (first["pages"], first["total"], len(first["rows"]), len(second["rows"])) == (2, 3, 2, 1)
        assert first["rows"][0]["tag"] == newest.named.release.tag
        assert second["rows"][-1]["tag"] == oldest.named.release.tag
        assert 'rel="next"' in client.get("/releases").text
        assert client.get("/releases?page=0").status_code == 422


def test_a_release_s_page_has_the_difference_to_what_serves_and_every_gate(tmp_path: Path) -> None:
    story, (first, _, third) = usual(tmp_path)
    with story.served() as client:
        tag = third.named.release.tag
        found = client.get(f"/api/releases/{tag}?environment=production").json()
        page = client.get(f"/releases/{tag}?environment=production").text
        assert client.get(f"/releases/{tag[:12]}", follow_redirects=False).headers["location"] == f"/releases/{tag}"
        assert client.get("/releases/sha-00000000").status_code == 404
        assert client.get(f"/releases/{tag}?environment=nowhere").status_code == 404
    difference = found["difference"]
    assert difference["before"] == first.named.release.tag
    assert [one["subject"] for one in difference["commits"]["come"]] == ["Show hours by week", "Try another timeline"]
    assert [(one["id"], one["verdict"]) for one in difference["judged"]] == [
        ("002_weeks", "expand"),
        ("003_drop_days", "contract"),
    ]
    assert "+    environment:" in difference["files"][0]["diff"]
    assert difference["settings"] == [{"name": "drain_timeout_s", "old": "30.0", "new": "60.0"}]
    staging, production = found["gates"]
    assert (staging["serves"], production["serves"], production["met"]) == (True, False, False)
    assert [(one["name"], one["met"]) for one in production["checks"]] == [
        ("ready on staging", True),
        ("approvals", False),
    ]
    assert [(one["kind"], one["who"], one["valid"]) for one in found["evidence"]] == [("ready", "staging:one", True)]
    assert '<span class="added">+    environment:' in page
    assert f"/deployments/staging/{found['passages'][0]['deployment']}" in page


def test_text_of_others_is_spelled_out_and_never_obeyed(tmp_path: Path) -> None:
    story, (first, _, _) = usual(tmp_path)
    evil = story.release(HOSTILE, ago(hours=1), f"    labels: ['{HOSTILE}']\n", created_by="Eve \u2066<b>\u2069")
    error = {"what": f"the log says {HOSTILE}", "exit_code": 1}
    story.staging.record(evil.named, ago(minutes=30), outcome="failed", failed_in="ready", error=error)
    story.ready(evil.named, ago(minutes=30))
    said = {"reason": HOSTILE.replace("\x1b", ""), "at": written(ago(minutes=1))}
    story.say(evil.named, Kind.REJECTED, "ann@example.com", Role.REVIEWER, "production", **said)
    tag = evil.named.release.tag
    with story.served() as client:
        pages = {
            path: client.get(path).text
            for path in ("/releases", f"/releases/{tag}", "/approvals", f"/approvals/production/{tag}")
        }
    for path, text in pages.items():
        assert "<script>alert" not in text, path
        assert "&lt;script&gt;alert" in text, path
        assert not {"\x1b", "\u202e", "\u2066"} & set(text), path
        assert "\\u202egnitset" in text, path
    assert first.named.release.tag in pages["/releases"]


def test_a_registry_that_is_away_is_told_and_what_was_read_is_shown(tmp_path: Path) -> None:
    story, (_, _, third) = usual(tmp_path)
    tag = third.named.release.tag
    with story.served() as client:
        assert len(client.get("/api/releases").json()["rows"]) == 3
        client.get(f"/api/releases/{tag}?environment=production")
        story.registry.before = lambda request: httpx.Response(503)
        shelf = client.app.state.desk.shelf  # type: ignore[attr-defined]
        observers = client.app.state.desk.observers  # type: ignore[attr-defined]
        while shelf.look().error is None:
            version = observers.version
            shelf.renew()
            observers.wait(version, 10)
        found = client.get("/api/releases").json()
        assert (len(found["rows"]), found["problem"] is not None) == (3, True)
        assert "What is shown is from" in client.get("/releases").text
        # The release itself does not change, so its page has the difference all the same.
        assert client.get(f"/api/releases/{tag}?environment=production").json()["difference"]["judged"]


def test_without_a_registry_the_pages_say_so(tmp_path: Path) -> None:
    with dashboard(tmp_path, {"staging": Host(), "production": Host()}) as client:
        assert "the registry cannot be reached" in client.get("/releases").text
        assert "the registry cannot be reached" in client.get("/approvals").text
        assert client.get("/api/releases/sha-4f2a9c1").status_code == 502


def test_what_is_in_the_archive_is_read_once(tmp_path: Path) -> None:
    story, _ = usual(tmp_path)
    with story.served() as client:
        client.get("/releases")
        before = len(story.registry.requests)
        for _ in range(3):
            client.get("/releases")
        shelf = client.app.state.desk.shelf  # type: ignore[attr-defined]
        known = shelf.look().read_at
        shelf.renew()
        observers = client.app.state.desk.observers  # type: ignore[attr-defined]
        while shelf.look().read_at == known:
            observers.wait(observers.version, 0.05)
        assert {line.split("?")[0] for line in story.registry.log[before:]} == {"GET /v2/acme/release/tags/list"}


def test_a_release_that_was_just_made_has_a_page_at_once(tmp_path: Path) -> None:
    story, _ = usual(tmp_path)
    with story.served() as client:
        client.get("/releases")
        tag = story.release("Just now", ago()).named.release.tag
        assert client.get(f"/api/releases/{tag}").json()["row"]["subject"] == "Just now"


def test_a_host_that_answers_nonsense_hides_no_page(tmp_path: Path) -> None:
    story, (_, _, third) = usual(tmp_path)
    story.production.answers[Operation.GATE] = {"replaces": "<script>", "checks": [7], "approvals": "x", "locked": 3}
    with story.served() as client:
        page = client.get(f"/releases/{third.named.release.tag}")
        assert (page.status_code, "not a sha256 digest" in page.text, "<script>" in page.text) == (200, True, False)
        assert client.get("/approvals").status_code == 200


def test_an_open_page_is_sent_only_what_it_does_not_show_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairway.dashboard.pages.releases.time", lambda: 0.0)
    story, (_, _, third) = usual(tmp_path)
    with story.served() as client:
        for path in ("/releases", "/approvals"):
            seen = client.get(path).text.partition('name="seen" value="')[2][:16]
            assert client.get(f"/parts{path}", params={"seen": seen}).status_code == 204
            assert client.get(f"/parts{path}", params={"seen": "else"}).status_code == 200
        asked = [operation for operation, _ in story.production.asked]
        assert asked.count(Operation.GATE) == 1
        story.production.record(third.named, ago(minutes=1), outcome="cancelled")
        observers = client.app.state.desk.observers  # type: ignore[attr-defined]
        while len(observers.sights()[1].entries) == 1:
            version = observers.version
            observers.each["production"].look_now()
            observers.wait(version, 10)
        assert client.get("/parts/approvals", params={"seen": seen}).status_code == 204
        # The record is another one, so the gate was asked anew, though it says the same.
        assert [operation for operation, _ in story.production.asked].count(Operation.GATE) == 2


def test_one_migration_that_was_edited_is_graver_than_any_verdict(tmp_path: Path) -> None:
    story, _ = usual(tmp_path)
    shipped = migrations(("001_users", Verdict.EXPAND))
    edited = replace(shipped, shipped=(replace(shipped.shipped[0], digest=Digest.of(b"edited")),))
    story.release("Edit what has run", ago(hours=1), migrations=edited)
    with story.served() as client:
        newest = client.get("/api/releases").json()["rows"][0]
    assert newest["cells"][1]["coming"] == {"count": 1, "verdict": "edited"}
