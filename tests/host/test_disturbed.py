"""A deployment that is disturbed: watched by several, asked for twice, its client or its engine killed."""

from __future__ import annotations

import signal
from collections.abc import Callable

from testbed import changes
from testbed.bed import Testbed
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, slots_running, start_on, status, wait_for_step


def _slow(work: Workspace, timeout_s: int = 25) -> str:
    """Release a commit that answers 503 until its time is up; return the tag."""
    changes.never_ready(work)
    work.configure(readiness={"timeout_s": timeout_s})
    work.commit("Wait for long")
    return release(work)


def test_the_second_to_deploy_is_told_who_is_first_and_can_watch(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    tag = _slow(work, timeout_s=8)
    running = work.start_fairway("deploy", "staging", tag)
    identity = wait_for_step(work, "staging", "ready")
    second = work.fairway("deploy", "staging", first, check=False)
    assert second.returncode == 4
    assert "another deployment is running" in second.stderr
    assert status(work, "staging")["deploying"] is True
    watched = work.fairway("attach", "staging", check=False)
    assert watched.returncode == 1
    assert "was not ready within 8 s" in watched.stderr
    running.communicate(timeout=60)
    assert running.returncode == 1
    assert identity == history(work, "staging")[-1]["deployment"]


def test_a_deployment_goes_on_without_its_client(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    changes.retitle(work, "Goes on")
    tag = release(work)
    client = work.start_fairway("deploy", "staging", tag)
    wait_for_step(work, "staging", "migrate")
    client.send_signal(signal.SIGKILL)
    client.communicate()
    work.fairway("attach", "staging")
    assert serving(work, "staging") == tag
    assert history(work, "staging")[-1]["outcome"] == "succeeded"


def test_a_lost_engine_is_undone_by_the_next_command_which_says_so(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    tag = _slow(work)
    client = work.start_fairway("deploy", "staging", tag)
    wait_for_step(work, "staging", "ready")
    work.host("staging").sh(f"pkill -KILL -f '{work.deploy_path}/[.]fairway/engine/current serve'")
    said, _ = client.communicate(timeout=60)
    assert client.returncode != 0
    assert serving(work, "staging") == first
    assert len(slots_running(work, "staging")) == 2, said

    refused = work.fairway("rollback", "staging", check=False)
    assert refused.returncode == 3
    assert f"undid the interrupted deploy of {tag[:11]}" in refused.stderr
    assert len(slots_running(work, "staging")) == 1
    assert status(work, "staging")["drift"] == []

    changes.retitle(work, "After")
    work.git("revert", "--no-edit", "HEAD~2")
    good = release(work)
    work.fairway("deploy", "staging", good)
    assert serving(work, "staging") == good
    outcomes = [(e["tag"], e["outcome"]) for e in history(work, "staging")]
    assert outcomes == [(first, "succeeded"), (tag, "failed"), (good, "succeeded")]


def test_a_container_that_was_stopped_by_hand_is_drift(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    work.host("staging").docker("stop", f"{work.project}-app-blue")
    found = work.fairway("status", "staging", check=False)
    assert found.returncode == 1
    assert "the container of blue is exited" in found.stdout


def test_a_full_disk_is_refused_before_anything_is_pulled(
    bed: Testbed, make_workspace: Callable[..., Workspace]
) -> None:
    bed.add_host("small", docker_disk="400m")
    try:
        work = make_workspace(environments={"staging": "small"})
        work.prepare_host("staging")
        work.fairway("bootstrap", "staging")
        done = work.fairway("deploy", "staging", release(work), check=False)
        assert done.returncode == 3
        assert "not enough disk space" in done.stderr
        assert "MiB needed" in done.stderr
        assert work.host("staging").docker("images", "--quiet") == ""
        assert history(work, "staging")[-1]["outcome"] == "failed"
    finally:
        bed.remove_host("small")
