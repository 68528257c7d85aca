"""The edge is replaced while it serves, and comes back with the right slot from whatever ends it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testbed import changes, images
from testbed.bed import Testbed
from testbed.docker import docker
from testbed.load import Load, Streams
from testbed.process import run
from testbed.visitor import ADMINISTRATOR, sign_in
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, start_on, status

# Stands where the real program does: names its version and reads configurations, and otherwise as the test says.
_STANDING_IN = """\
FROM {base}
USER root
RUN cp -L "$(command -v haproxy)" /usr/local/sbin/haproxy-itself && rm /usr/local/sbin/haproxy
COPY --chmod=755 <<'END' /usr/local/sbin/haproxy
#!/bin/sh
case "$*" in
    -v | -c*) ;;
    {case}
esac
exec haproxy-itself "$@"
END
"""
# Runs on the host: what is left of an upgrade after a sign of it takes milliseconds, so this must be quicker.
_KILLER = """
import os, pathlib, signal, subprocess, sys, time

deploy_path, kind, sign = sys.argv[1:]
engine = f"{deploy_path}/.fairway/engine/current\\0serve".encode()
record = pathlib.Path(deploy_path, ".fairway/edge/instances.json")


def seen():
    if kind == "record":
        return record.exists() and sign in record.read_text()
    asked = ["docker", "container", "inspect", sign]
    return subprocess.run(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def engines():
    for found in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if engine in found.read_bytes():
                yield int(found.parent.name)
        except OSError:
            continue


deadline = time.monotonic() + 60
known = []
while time.monotonic() < deadline:
    if seen():
        for pid in known or engines():
            os.kill(pid, signal.SIGKILL)
        sys.exit(0)
    known = known or list(engines())
sys.exit("the sign did not come")
"""
_DIES_AT_START = "*) echo 'the library is broken' >&2; exit 3 ;;"
_DIES_IN_SERVICE = "*-x*) echo 'no sockets for me' >&2; exit 3 ;;"
_TAKES_NOTHING_OVER = '*-x*) exec haproxy-itself -db -f "$3" ;;'


def _offer(work: Workspace, image: str) -> str:
    """Put an image of this machine into the bed's registry, where the host pulls from; return its name there."""
    reference = f"{work.bed.registry.address}/{work.project}/{image.removeprefix('fairway-dev/')}"
    docker("tag", image, reference)
    run(["docker", "push", "--quiet", reference], env=work.bed.environment)
    return reference


def _stand_in(work: Workspace, name: str, case: str) -> str:
    """Build an image whose HAProxy does not do as it should; return its name in the bed's registry."""
    reference = f"{work.bed.registry.address}/{work.project}/haproxy:{name}"
    text = _STANDING_IN.format(base=images.HAPROXY.name, case=case)
    docker("buildx", "build", "--builder=default", "--load", "--quiet", f"--tag={reference}", "-", stdin=text)
    run(["docker", "push", "--quiet", reference], env=work.bed.environment)
    return reference


def _edge(work: Workspace) -> dict[str, Any]:
    found: dict[str, Any] = status(work, "staging")["edge"]
    return found


def _listening(work: Workspace) -> list[tuple[str, str]]:
    """Return which of the edge's processes accept visitors: container and the beginning of the version."""
    return [(i["container"], i["version"][:3]) for i in _edge(work)["instances"] if i["role"] == "listening"]


def _upgrade(work: Workspace, *arguments: str) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(work.fairway("edge", "upgrade", "staging", "--json", *arguments).stdout)
    return entry


@pytest.fixture
def own_host(bed: Testbed, make_workspace: Callable[..., Workspace]) -> Iterator[Workspace]:
    """A workspace whose host is nobody else's, so it may be rebooted; the edge is upgraded on it."""
    bed.add_host("edge")
    try:
        work = make_workspace(environments={"staging": "edge"})
        start_on(work, "staging")
        _upgrade(work, "--image", _offer(work, images.HAPROXY_OLDER.name))
        yield work
    finally:
        bed.remove_host("edge")


def test_upgrades_deployments_and_rollbacks_under_load_lose_no_request_and_cut_no_stream(workspace: Workspace) -> None:
    work = workspace
    work.configure(drain={"timeout_s": 600})
    work.commit("Let streams go on")
    work.prepare_host("staging", ADMINISTRATOR)
    work.fairway("bootstrap", "staging")
    first = release(work)
    work.fairway("deploy", "staging", first)
    older = _offer(work, images.HAPROXY_OLDER.name)
    headers = {"Cookie": sign_in(work.url("staging", ""))}
    with (
        Streams(work.url("staging", "/api/sse/timeline"), count=4, headers=headers) as streams,
        Load(work.url("staging", "/api/health"), connections=32, rate_per_s=300) as load,
    ):
        wait_for("four streams", lambda: streams.report.opened == 4)
        entry = _upgrade(work, "--image", older)
        assert (entry["action"], entry["outcome"], entry["to"]["image"]) == ("edge-upgrade", "succeeded", older)
        assert entry["to"]["version"].startswith("2.6.")
        assert _listening(work) == [(f"{work.project}-edge-1", "2.6")]
        _upgrade(work)
        wait_for("the drained one to go", lambda: len(_edge(work)["instances"]) == 2)
        assert _listening(work) == [(f"{work.project}-edge-2", "3.0")]
    assert load.report.reasons == {}
    assert (streams.report.cut, streams.report.ended, streams.report.refused) == ([], [], [])
    assert status(work, "staging")["drift"] == []

    changes.retitle(work, "Second")
    second = release(work)
    with Load(work.url("staging", "/api/health"), connections=16, rate_per_s=150) as load:
        work.fairway("deploy", "staging", second)
        assert serving(work, "staging") == second
        work.fairway("rollback", "staging")
        assert serving(work, "staging") == first
    assert load.report.reasons == {}
    actions = [(e["action"], e["outcome"]) for e in history(work, "staging")]
    assert actions[1:3] == [("edge-upgrade", "succeeded")] * 2
    assert "HAProxy 2.6" in work.fairway("history", "staging").stdout


def test_every_connection_of_its_own_is_served_through_an_upgrade(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    older = _offer(work, images.HAPROXY_OLDER.name)
    with Load(work.url("staging", "/api/health"), connections=32, headers={"Connection": "close"}) as load:
        _upgrade(work, "--image", older)
        _upgrade(work)
    assert load.report.reasons == {}
    assert load.report.ok > 500


def test_a_plan_says_what_an_upgrade_would_do_and_the_image_that_runs_is_left_alone(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    unchanged = work.fairway("edge", "upgrade", "staging")
    assert "is already the edge of staging" in unchanged.stdout
    planned = work.fairway("edge", "upgrade", "staging", "--plan", "--image", "haproxy:9.9")
    assert "haproxy:3.0 (HAProxy 3.0" in planned.stdout
    assert "-> haproxy:9.9" in planned.stdout
    assert [e["action"] for e in history(work, "staging")] == ["deploy"]
    assert len(_edge(work)["instances"]) == 1


def test_what_differs_from_what_is_wanted_is_noted_with_the_command(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    work.configure(environments={"staging": {"edge_image": "haproxy:3.2"}})
    note = "the edge is haproxy:3.0, fairway.toml says haproxy:3.2: fairway edge upgrade staging"
    assert note in work.fairway("status", "staging").stdout

    work.fairway("bootstrap", "staging")
    assert "the edge runs haproxy:3.0, wanted is haproxy:3.2" in work.fairway("status", "staging").stdout
    work.fairway("restart", "staging")
    assert (serving(work, "staging"), _listening(work)) == (first, [(f"{work.project}-edge", "3.0")])


def test_an_image_that_cannot_be_the_edge_is_refused_or_undone(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    bad = {
        "redis:8": (3, "redis:8 is not an image of HAProxy"),
        f"{work.bed.registry.address}/{work.project}/haproxy:none": (1, "is neither on the host nor in its registry"),
        _stand_in(work, "dies", _DIES_AT_START): (1, "does not serve as the edge does"),
        _stand_in(work, "dies-later", _DIES_IN_SERVICE): (1, "the edge's new process does not stay up"),
        _stand_in(work, "deaf", _TAKES_NOTHING_OVER): (1, "the edge's new process takes no visitors"),
    }
    with Load(work.url("staging", "/api/health"), connections=8, rate_per_s=100) as load:
        for image, (code, said) in bad.items():
            done = work.fairway("edge", "upgrade", "staging", "--image", image, check=False)
            assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert load.report.reasons == {}
    assert load.report.latency_s(1.0) < 5
    found = status(work, "staging")
    assert (found["drift"], found["edge"]["image"], found["edge"]["notes"]) == ([], "haproxy:3.0", [])
    assert _listening(work) == [(f"{work.project}-edge", "3.0")]
    assert [e["outcome"] for e in history(work, "staging")] == ["succeeded", *["failed"] * len(bad)]
    assert history(work, "staging")[-1]["error"]["what"] == "the edge's new process takes no visitors"

    assert _upgrade(work, "--image", _offer(work, images.HAPROXY_OLDER.name))["outcome"] == "succeeded"
    assert serving(work, "staging") == first


@pytest.mark.parametrize("moment", ["before it is begun", "with the new one started", "with the visitors moved"])
def test_an_engine_killed_in_the_middle_leaves_an_edge_that_the_next_command_settles(
    workspace: Workspace, moment: str
) -> None:
    work = workspace
    first = start_on(work, "staging")
    older = _offer(work, images.HAPROXY_OLDER.name)
    sign = {
        "before it is begun": ["container", f"{work.project}-edge-trial"],
        "with the new one started": ["record", '"pending": {'],
        "with the visitors moved": ["record", '"current": 1'],
    }[moment]
    with Load(work.url("staging", "/api/health"), connections=8, rate_per_s=100) as load:
        client = work.start_fairway("edge", "upgrade", "staging", "--image", older)
        work.host("staging").run(shlex.join(["python3", "-", work.deploy_path, *sign]), stdin=_KILLER)
        client.communicate(timeout=60)
        assert client.returncode != 0
        assert serving(work, "staging") == first
        again = _upgrade(work, "--image", older)
    assert load.report.reasons == {}
    attempts = [entry["outcome"] for entry in history(work, "staging") if entry["action"] == "edge-upgrade"]
    if moment == "with the visitors moved":
        assert (again["outcome"], attempts) == ("unchanged", ["succeeded"])
    else:
        assert again["outcome"] == "succeeded"
        assert attempts == (["failed"] if moment == "with the new one started" else []) + ["succeeded"]
    wait_for("the rest to go", lambda: len(_edge(work)["instances"]) == 2)
    assert [version for _, version in _listening(work)] == ["2.6"]
    assert status(work, "staging")["drift"] == []


def test_a_crash_of_the_edge_loses_only_what_it_was_serving(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    changes.retitle(work, "Second")
    second = release(work)
    _upgrade(work, "--image", _offer(work, images.HAPROXY_OLDER.name))
    work.fairway("deploy", "staging", second)
    host, name = work.host("staging"), f"{work.project}-edge-1"
    with Load(work.url("staging", "/api/health"), connections=8, rate_per_s=200) as load:
        wait_for("answers", lambda: load.report.ok > 100)
        host.sh(f"kill -KILL $(docker inspect --format '{{{{.State.Pid}}}}' {name})")
        answered = load.report.ok
        wait_for("answers again", lambda: load.report.ok > answered + 200)
    # Each connection had at most one request under way; those that came meanwhile waited.
    assert load.report.failed <= 8, load.report.reasons
    assert load.report.releases == [second]
    assert _listening(work) == [(name, "2.6")]

    with Load(work.url("staging", "/api/health"), connections=8, rate_per_s=100) as load:
        host.docker("restart", name)
        answered = load.report.ok
        wait_for("answers again", lambda: load.report.ok > answered + 100)
    assert load.report.reasons == {}
    assert load.report.releases == [second]
    assert status(work, "staging")["drift"] == []


def test_a_base_made_by_hand_is_found_and_mended_by_the_next_command(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    changes.retitle(work, "Second")
    second = release(work)
    _upgrade(work, "--image", _offer(work, images.HAPROXY_OLDER.name))
    host, base = work.host("staging"), f"{work.project}-edge"
    host.docker("restart", base)
    wait_for("the base to serve", lambda: _answers(work))
    found = work.fairway("status", "staging", check=False)
    assert found.returncode == 1
    assert f"the base accepts visitors beside {base}-1" in found.stdout
    with Load(work.url("staging", "/api/health"), connections=8, rate_per_s=100) as load:
        work.fairway("deploy", "staging", second)
    assert load.report.reasons == {}
    assert (status(work, "staging")["drift"], _listening(work)) == ([], [(f"{base}-1", "2.6")])

    host.docker("rm", "--force", base)
    found = work.fairway("status", "staging", check=False)
    assert "the edge: its container is gone" in found.stdout
    work.fairway("rollback", "staging")
    assert serving(work, "staging") != second
    work.fairway("edge", "upgrade", "staging")
    wait_for("one edge alone", lambda: status(work, "staging")["drift"] == [])
    assert len(_listening(work)) == 1


@pytest.mark.parametrize("end", ["reboot", "power_cut", "kill_docker"])
def test_after_the_hosts_end_the_recorded_slot_serves_and_the_edge_can_be_upgraded_again(
    own_host: Workspace, end: str
) -> None:
    work = own_host
    changes.retitle(work, "Second")
    second = release(work)
    work.fairway("deploy", "staging", second)
    host = work.host("staging")
    getattr(host, end)()
    if end == "kill_docker":
        host.start_docker()
    wait_for("an answer", lambda: _answers(work), timeout_s=60)
    for container in ("app-green", "postgres-1", "redis-1", "worker-1"):
        # What the application does after the host's end is its own restart policy's business.
        host.docker("start", f"{work.project}-{container}", check=False)
    wait_for("the release", lambda: serving(work, "staging") == second, timeout_s=60)
    with Load(work.url("staging", "/api/health"), connections=8, rate_per_s=100) as load:
        entry = _upgrade(work)
    assert entry["to"]["version"].startswith("3.0")
    assert load.report.reasons == {}
    assert load.report.releases == [second]
    wait_for("the drained one to go", lambda: len(_edge(work)["instances"]) == 2)
    assert (_edge(work)["drift"], len(_listening(work))) == ([], 1)


def _answers(work: Workspace) -> bool:
    try:
        return bool(serving(work, "staging"))
    except OSError:
        return False
