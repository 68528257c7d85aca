"""The two slots: streams that drain, a warm slot that is retired, a rollback to one that is cold."""

from __future__ import annotations

from testbed import changes
from testbed.load import Load, Streams
from testbed.visitor import ADMINISTRATOR, sign_in
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import release, serving, slots_running, start_on, status


def test_open_streams_outlive_the_switch_and_are_closed_at_the_limit(workspace: Workspace) -> None:
    work = workspace
    work.configure(drain={"timeout_s": 3})
    work.commit("Drain for three seconds")
    work.prepare_host("staging", ADMINISTRATOR)
    work.fairway("bootstrap", "staging")
    first = release(work)
    work.fairway("deploy", "staging", first)
    changes.retitle(work, "Second")
    second = release(work)
    headers = {"Cookie": sign_in(work.url("staging", ""))}
    with (
        Streams(work.url("staging", "/api/sse/timeline"), count=4, headers=headers) as streams,
        Load(work.url("staging", "/api/health"), connections=4, rate_per_s=50) as load,
    ):
        wait_for("four streams", lambda: streams.report.opened == 4)
        done = work.fairway("deploy", "staging", second)
        wait_for("the streams to come back", lambda: streams.report.transitions[-1][1] == second)
    assert "closed 4 connections of blue after 3 s" in done.stderr
    assert load.report.reasons == {}
    switched_s = load.report.transitions[-1][0]
    gone = [at_s for at_s, _ in streams.report.cut] + streams.report.ended
    assert len(gone) == 4
    assert min(gone) - switched_s > 2


def test_a_slot_that_is_not_kept_warm_says_goodbye_to_its_streams_itself(workspace: Workspace) -> None:
    work = workspace
    work.configure(drain={"timeout_s": 2}, warm={"keep_s": 0})
    work.commit("Keep nothing warm")
    work.prepare_host("staging", ADMINISTRATOR)
    work.fairway("bootstrap", "staging")
    work.fairway("deploy", "staging", release(work))
    changes.retitle(work, "Second")
    second = release(work)
    headers = {"Cookie": sign_in(work.url("staging", ""))}
    with Streams(work.url("staging", "/api/sse/timeline"), count=4, headers=headers) as streams:
        wait_for("four streams", lambda: streams.report.opened == 4)
        done = work.fairway("deploy", "staging", second)
        wait_for("the streams to come back", lambda: streams.report.transitions[-1][1] == second)
    assert "4 open, " in done.stderr
    assert "blue was asked to end with 4 connections open after 2 s" in done.stderr
    assert (len(streams.report.ended), streams.report.cut) == (4, [])
    assert slots_running(work, "staging") == [f"{work.project}-app-green"]


def test_the_old_slot_is_stopped_when_its_time_is_up(workspace: Workspace) -> None:
    work = workspace
    work.configure(warm={"keep_s": 2})
    work.commit("Keep it warm for two seconds")
    start_on(work, "staging")
    changes.retitle(work, "Second")
    second = release(work)
    work.fairway("deploy", "staging", second)
    wait_for("the old slot to stop", lambda: slots_running(work, "staging") == [f"{work.project}-app-green"])
    assert serving(work, "staging") == second
    assert status(work, "staging")["drift"] == []


def test_a_rollback_to_a_cold_release_brings_even_its_image_back(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.retitle(work, "Second")
    second = release(work)
    work.fairway("deploy", "staging", second)
    host = work.host("staging")
    image = host.docker("inspect", "--format", "{{.Config.Image}}", f"{work.project}-app-blue")
    host.docker("rm", "--force", f"{work.project}-app-blue")
    host.docker("rmi", "--force", image)
    with Load(work.url("staging", "/api/health"), connections=4, rate_per_s=50) as load:
        work.fairway("rollback", "staging", first[:12])
    assert serving(work, "staging") == first
    assert load.report.reasons == {}


def test_this_machine_can_be_the_host(workspace: Workspace) -> None:
    work = workspace
    path = work.bed.state / "local" / work.project
    services = {"postgres:17": "fairway-dev/postgres:17", "redis:8": "fairway-dev/redis:8"}
    for public, ours in services.items():
        work.edit("docker-compose.cicd.yml", f"image: {public}", f"image: {ours}")
    work.edit("docker-compose.cicd.yml", '"${APP_HOST_PORT:-3000}:3000"', '"127.0.0.1:${APP_HOST_PORT:-3000}:3000"')
    local = {"hosts": ["local"], "deploy_path": str(path), "edge_image": "fairway-dev/haproxy:3.0", "ssh_config": None}
    work.configure(environments={"staging": local})
    work.commit("Deploy to this machine")
    path.mkdir(parents=True)
    settings = path / ".env.production"
    settings.touch(mode=0o600)
    secret = "x" * 40
    settings.write_text(f"POSTGRES_PASSWORD={secret}\nNEXTAUTH_SECRET={secret}\nNEXTAUTH_URL=http://localhost\n")
    try:
        work.fairway("bootstrap", "staging", "--no-at-boot")  # this machine is to stay as it was
        tag = release(work)
        work.fairway("deploy", "staging", tag)
        found = status(work, "staging")
        assert (found["serving"]["tag"], found["drift"]) == (tag, [])
    finally:
        work.remove_here(path)
