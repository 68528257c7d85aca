"""A deployment that is disturbed: watched by several, asked for twice, its client or its engine killed."""

from __future__ import annotations

import re
import secrets
import signal
from collections.abc import Callable

from testbed import changes
from testbed.bed import Testbed
from testbed.load import Load
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, slots_running, sql, start_on, status, wait_for_step


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


def test_of_ten_who_deploy_at_once_one_wins_and_nine_are_told_whose_it_is(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.count_migrations(work)
    tag = release(work)
    attempts = len(history(work, "staging"))
    with Load(work.url("staging", "/api/health"), connections=4, rate_per_s=40) as load:
        clients = [work.start_fairway("deploy", "staging", tag) for _ in range(10)]
        said = {client.pid: client.communicate(timeout=240)[0] for client in clients}
    ended = {client.pid: client.returncode for client in clients}
    refused = [said[pid] for pid, code in ended.items() if code == 4]
    # Whoever comes when the first is through finds that the release serves already.
    late = [text for pid, text in said.items() if ended[pid] == 0 and "nothing was changed" in text]
    assert len(refused) + len(late) == 9, said
    assert refused
    for text in refused:
        assert re.search(r"another deployment is running: deploy\s+why:\s+started by \S+ at \d{4}-\d\d-\d\dT", text), (
            text
        )
    assert len(history(work, "staging")) == attempts + 1
    assert sql(work, "staging", "SELECT count(*) FROM applications") == "1"
    assert serving(work, "staging") == tag
    assert load.report.reasons == {}
    assert load.report.releases == [first, tag]
    assert slots_running(work, "staging") == [f"{work.project}-app-{slot}" for slot in ("blue", "green")]


def test_ten_who_wait_get_their_turn_one_after_the_other(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    changes.retitle(work, "Waited for")
    tag = release(work)
    clients = [work.start_fairway("deploy", "staging", tag, "--wait", "300") for _ in range(10)]
    said = [client.communicate(timeout=300)[0] for client in clients]
    assert [client.returncode for client in clients] == [0] * 10, said
    assert sum("nothing was changed" in text for text in said) == 9
    assert serving(work, "staging") == tag
    assert [entry["tag"] for entry in history(work, "staging")].count(tag) == 1


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
    assert f"interrupted: deploy of {tag[:11]}, in ready" in status(work, "staging")["drift"][0]

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
    small = bed.add_host(f"small-{secrets.token_hex(3)}", docker_disk="400m")
    try:
        work = make_workspace(environments={"staging": small.name})
        work.prepare_host("staging")
        work.fairway("bootstrap", "staging")
        done = work.fairway("deploy", "staging", release(work), check=False)
        assert done.returncode == 3
        assert "not enough disk space" in done.stderr
        assert "MiB needed" in done.stderr
        assert "set aside for images whose size is not known: postgres:17, redis:8, haproxy:3.0" in done.stderr
        assert "no release here is older than its retention keeps" in done.stderr
        assert work.host("staging").docker("images", "--quiet") == ""
        assert history(work, "staging")[-1]["outcome"] == "failed"
    finally:
        bed.remove_host(small.name)
