"""A release that takes traffic is watched: one that does worse than the one before goes back by itself."""

from __future__ import annotations

from testbed import changes
from testbed.load import Load
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, start_on, status


def test_a_release_that_fails_for_visitors_goes_back_by_itself(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.fails_for_visitors(work)
    work.configure(soak={"for_s": 60, "min_requests": 20})
    work.commit("Watch for a minute")
    bad = release(work)
    with Load(work.url("staging", "/api/health"), connections=4, rate_per_s=50, max_s=120) as load:
        done = work.fairway("deploy", "staging", bad, check=False)
    assert done.returncode == 1
    assert f"{bad[:11]} does worse than the release before" in done.stderr
    assert "requests failed (" in done.stderr
    assert serving(work, "staging") == first
    last = history(work, "staging")[-1]
    assert (last["outcome"], last["error"]["what"]) == ("failed", f"{bad[:11]} does worse than the release before")
    assert set(load.report.reasons) == {"HTTP 500"}
    assert status(work, "staging")["drift"] == []


def test_a_canary_that_fails_costs_its_share_only_and_a_good_one_gets_everything(workspace: Workspace) -> None:
    work = workspace
    work.configure(soak={"canary": [10, 50], "canary_s": 4, "for_s": 3, "min_requests": 5})
    work.commit("Move traffic in weights")
    first = start_on(work, "staging")
    changes.fails_for_visitors(work)
    bad = release(work)
    with Load(work.url("staging", "/api/health"), connections=4, rate_per_s=60, max_s=120) as load:
        done = work.fairway("deploy", "staging", bad, check=False)
    assert done.returncode == 1
    assert serving(work, "staging") == first
    assert 0 < load.report.failed < load.report.total * 0.2

    work.git("revert", "--no-edit", "HEAD")
    changes.retitle(work, "Better")
    good = release(work)
    with Load(work.url("staging", "/api/health"), connections=4, rate_per_s=60, max_s=120) as load:
        done = work.fairway("deploy", "staging", good)
    assert "50 %:" in done.stderr
    assert load.report.reasons == {}
    assert load.report.by_release[first] > 0
    assert serving(work, "staging") == good
    assert list(history(work, "staging")[-1]["steps"])[6:] == [
        "ready",
        "canary",
        "switch",
        "workers",
        "soak",
        "drain",
        "record",
    ]
