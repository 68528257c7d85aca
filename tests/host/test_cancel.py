"""A deployment that somebody cancels is reverted, on record, and leaves nothing behind."""

from __future__ import annotations

import signal

import pytest

from testbed import changes
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, slots_running, sql, start_on, status, wait_for_step


def _unready(work: Workspace) -> str:
    changes.never_ready(work)
    work.configure(readiness={"timeout_s": 120})
    work.commit("Wait for long")
    return release(work)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_a_cancelled_job_ask_the_host_to_revert(workspace: Workspace, number: signal.Signals) -> None:
    work = workspace
    first = start_on(work, "staging")
    tag = _unready(work)
    client = work.start_fairway("deploy", "staging", tag)
    wait_for_step(work, "staging", "ready")
    client.send_signal(number)
    said, _ = client.communicate(timeout=60)
    assert client.returncode == 130, said
    assert "cancelling: the host is asked to revert" in said
    assert f"the deploy of {tag[:11]} was cancelled" in said
    assert serving(work, "staging") == first
    assert len(slots_running(work, "staging")) == 1
    last = history(work, "staging")[-1]
    assert (last["tag"], last["outcome"]) == (tag, "cancelled")
    assert status(work, "staging")["drift"] == []


def test_somebody_else_can_cancel_in_the_middle_of_a_migration(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.slow_migration(work, 300)
    tag = release(work)
    client = work.start_fairway("deploy", "staging", tag)
    wait_for_step(work, "staging", "migrate")
    done = work.fairway("cancel", "staging", check=False)
    assert done.returncode == 130, done.stderr
    client.communicate(timeout=60)
    assert client.returncode == 130
    assert serving(work, "staging") == first
    assert sql(work, "staging", "SELECT version_num FROM alembic_version") == "0005"
    assert sql(work, "staging", "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'fairway-%'") == "0"
    left = work.host("staging").docker("ps", "--all", "--format", "{{.Names}}", "--filter", "name=migrate-")
    assert left == ""
    assert history(work, "staging")[-1]["schema"] == {"after": ["alembic 0005"]}
    again = work.fairway("cancel", "staging", check=False)
    assert again.returncode == 3
    assert "no deployment is running" in again.stderr


def test_who_waits_for_another_deployment_gets_its_turn(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    changes.never_ready(work)
    work.configure(readiness={"timeout_s": 6})
    work.commit("Give up after a while")
    bad = release(work)
    work.git("revert", "--no-edit", "HEAD~1")
    work.commit("Mended")
    good = release(work)
    first = work.start_fairway("deploy", "staging", bad)
    wait_for_step(work, "staging", "ready")
    second = work.fairway("deploy", "staging", good, "--wait", "120")
    assert "waiting for the deploy started by" in second.stderr
    assert serving(work, "staging") == good
    first.communicate(timeout=60)
    assert first.returncode == 1
    assert [entry["outcome"] for entry in history(work, "staging")][1:] == ["failed", "succeeded"]
