"""The application's errors: where they arrive, and a release that brings new ones is sent back by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed import changes
from testbed.bed import Testbed
from testbed.load import Load
from testbed.tracker import ORGANIZATION, PROJECT, Bugsink, Event, Tracker
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, status


@pytest.fixture(scope="module")
def tracker(bed: Testbed) -> Iterator[Tracker]:
    """An error tracker of this machine that the hosts reach."""
    with Tracker(bed.gateway) as made:
        yield made


@pytest.fixture(scope="module")
def bugsink(bed: Testbed) -> Iterator[Bugsink]:
    """A real one, which takes errors and has an API of its own."""
    with Bugsink(bed.state / "bugsink", bed.gateway) as made:
        yield made


@pytest.fixture(scope="module")
def work(bed: Testbed, tracker: Tracker, bugsink: Bugsink) -> Iterator[Workspace]:
    """A good release on both hosts; staging's errors go to Bugsink, production's to the tracker that is asked."""
    made = Workspace(bed, project="t-errors", port=19_880)
    made.configure(
        # How fast it answers is another test's.
        soak={"for_s": 4, "max_slowdown": 1000},
        errors={
            "url": tracker.url,
            "organization": ORGANIZATION,
            "project": PROJECT,
            "token_key": "TRACKER_TOKEN",
        },
        environments={"production": {"promote_from": "staging"}},
    )
    made.commit("Ask for new errors")
    for environment, dsn in (("staging", bugsink.dsn), ("production", tracker.dsn)):
        made.prepare_host(environment, {"SENTRY_DSN": dsn, "TRACKER_TOKEN": tracker.token})
        made.fairway("bootstrap", environment)
    yield made
    made.remove()


def _everything_written(work: Workspace, environment: str) -> str:
    kept = f"{work.deploy_path}/.fairway"
    return work.host(environment).sh(f"find {kept}/ledger.jsonl {kept}/deployments -type f -exec cat {{}} +")


def _tracked(work: Workspace, environment: str) -> dict[str, Any]:
    found: dict[str, Any] = history(work, environment)[-1]["tracker"]
    return found


def test_a_tracker_that_cannot_be_asked_sends_nothing_back_and_is_on_the_record(
    work: Workspace, tracker: Tracker
) -> None:
    told = {"SENTRY_AUTH_TOKEN": tracker.token}
    good = str(json.loads(work.fairway("release", "--json", env=told).stdout)["tag"])
    assert [one["version"] for one in tracker.releases] == [good]
    tracker.status = 503
    done = work.fairway("deploy", "staging", good, env=told)
    tracker.status = 200
    assert "not told: the error tracker (answered 503" in done.stderr
    assert "the error tracker cannot be asked: it answered 503" in done.stderr
    assert serving(work, "staging") == good
    assert _tracked(work, "staging")["answered"] == 0
    assert _tracked(work, "staging")["problem"] == "it answered 503"

    done = work.fairway("promote", good, "--to", "production", env=told)
    assert [(version, deploy["environment"]) for version, deploy in tracker.deploys] == [(good, "production")]
    assert "no new issues in" in done.stderr
    assert (_tracked(work, "production")["new_issues"], _tracked(work, "production")["problem"]) == (0, "")


def test_a_release_that_brings_new_errors_goes_back_by_itself(
    work: Workspace, tracker: Tracker, bugsink: Bugsink
) -> None:
    good = serving(work, "production")
    changes.logs_errors(work)
    bad = release(work)
    work.fairway("deploy", "staging", bad)
    assert serving(work, "staging") == bad  # which asks it for its health: one error
    wait_for("the error at Bugsink", lambda: bool(bugsink.events))
    assert set(bugsink.events) == {Event(bad, "staging", "KeyError")}

    with Load(work.url("production", "/api/health"), connections=2, rate_per_s=10, max_s=60) as load:
        done = work.fairway("promote", bad, "--to", "production", check=False)
    assert done.returncode == 1
    assert f"{bad[:11]} brings new errors" in done.stderr
    assert "1 new issue in the error tracker, none may be" in done.stderr
    assert f"CAPAKRAKEN-1: KeyError: 'forecast' ({tracker.url}/organizations/acme/issues/1/)" in done.stderr
    assert set(tracker.events) == {Event(bad, "production", "KeyError")}
    assert load.report.failed == 0
    assert serving(work, "production") == good
    last = history(work, "production")[-1]
    assert (last["outcome"], last["failed_in"], last["error"]["what"]) == (
        "failed",
        "soak",
        f"{bad[:11]} brings new errors",
    )
    assert (last["tracker"]["new_issues"], last["tracker"]["issues"]) == (1, ["CAPAKRAKEN-1"])
    assert status(work, "production")["drift"] == []


def test_doctor_says_whether_the_tracker_can_be_asked(work: Workspace, tracker: Tracker) -> None:
    def found() -> tuple[bool, str]:
        places = json.loads(work.fairway("doctor", "production", "--json", check=False).stdout)
        return next(
            (one["ok"], one["found"]) for checks in places.values() for one in checks if one["name"] == "error tracker"
        )

    assert found() == (True, "no new issues of what serves")
    tracker.status = 401
    ok, said = found()
    tracker.status = 200
    assert not ok
    assert "the token in TRACKER_TOKEN must be allowed to read issues" in said


def test_the_token_is_nowhere_but_in_the_environment_file(work: Workspace, tracker: Tracker) -> None:
    for environment in ("staging", "production"):
        written = _everything_written(work, environment)
        assert "the error tracker" in written
        assert tracker.token not in written
