"""A bundle that asks for more of the host than its policy allows: refused before anything is touched, by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.bed import Testbed
from testbed.workspace import Workspace
from tests.host.asking import allow_on, history, release, serving, slots_running

IMAGES = ("undigested-image:postgres", "undigested-image:redis")
HOST_ROOT = ("docker-socket:worker", "host-mount:worker:/")


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A prepared host that allows nothing yet; slots are stopped at once, so that a rollback starts something."""
    made = Workspace(bed, project="t-bundle-policy", port=19_960, environments={"staging": "staging"})
    made.configure(environments={"staging": {"policy": None}}, warm={"keep_s": 0})
    made.commit("Allow nothing")
    made.prepare_host("staging")
    made.fairway("bootstrap", "staging")
    allow_on(made, "staging")
    yield made
    made.remove()


def _refuse(work: Workspace, *arguments: str) -> str:
    done = work.fairway(*arguments, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 3, said
    return said


def _everything(work: Workspace) -> str:
    """Return what is on the host of this project: containers, networks, volumes and images."""
    label = f"label=com.docker.compose.project={work.project}"
    return work.host("staging").sh(f"""
        docker ps -aq --no-trunc --filter {label}; docker network ls -q --filter {label}
        docker volume ls -q --filter {label}; docker image ls --format '{{{{.ID}}}} {{{{.Repository}}}}' | sort
    """)


def test_an_image_without_a_digest_is_refused_until_the_host_allows_it(work: Workspace) -> None:
    tag, before = release(work), _everything(work)
    planned = work.fairway("deploy", "staging", tag, "--plan").stdout
    said = _refuse(work, "deploy", "staging", tag)
    for text in (*IMAGES, "postgres:17", "[environments.staging.policy] allow", "fairway bootstrap staging"):
        assert text in said
    for name in IMAGES:
        assert name in planned
    assert _everything(work) == before
    last = history(work, "staging")[-1]
    assert (last["outcome"], last["tag"], last["error"]["exit_code"]) == ("failed", tag, 3)
    assert all(name in last["error"]["why"] for name in IMAGES)

    allow_on(work, "staging", IMAGES[0])
    assert IMAGES[0] not in _refuse(work, "deploy", "staging", tag)
    allow_on(work, "staging", *IMAGES)
    work.fairway("deploy", "staging", tag)
    assert serving(work, "staging") == tag


def test_a_mount_of_the_host_s_root_is_refused_and_the_old_release_serves(work: Workspace) -> None:
    first, before = serving(work, "staging"), _everything(work)
    work.edit("docker-compose.cicd.yml", "    command: [", '    volumes: ["/opt/..:/host:ro"]\n    command: [')
    work.commit("Look around")
    tag = release(work)
    said = _refuse(work, "deploy", "staging", tag)
    for name in HOST_ROOT:
        assert f"{name}: " in said
    assert "undigested-image" not in said
    assert _everything(work) == before
    assert serving(work, "staging") == first
    assert len(slots_running(work, "staging")) == 1
    last = history(work, "staging")[-1]
    assert (last["outcome"], last["tag"]) == ("failed", tag)
    assert all(name in last["error"]["why"] for name in HOST_ROOT)

    allow_on(work, "staging", *IMAGES, *HOST_ROOT)
    work.fairway("deploy", "staging", tag)
    assert serving(work, "staging") == tag
    mounts = work.host("staging").docker("inspect", f"{work.project}-worker-1", "--format", "{{json .Mounts}}")
    assert '"Destination":"/host"' in mounts


def test_what_is_no_longer_allowed_does_not_come_back_by_a_rollback(work: Workspace) -> None:
    work.edit("docker-compose.cicd.yml", '    volumes: ["/opt/..:/host:ro"]\n', "")
    work.commit("Have seen enough")
    tag = release(work)
    allow_on(work, "staging", *IMAGES)
    work.fairway("deploy", "staging", tag)
    assert "host-mount:worker:/: " in _refuse(work, "rollback", "staging")
    assert serving(work, "staging") == tag
    # What serves may be started again, whatever is allowed now: its containers run already.
    allow_on(work, "staging")
    work.fairway("restart", "staging")
    assert serving(work, "staging") == tag


def test_files_that_compose_would_read_are_refused_before_it_does(work: Workspace) -> None:
    host, first = work.host("staging"), serving(work, "staging")
    host.put("/srv/others.env", "LEAKED=canary-of-another\n", mode=0o644)
    allow_on(work, "staging", *IMAGES)
    work.edit("docker-compose.cicd.yml", "  redis:\n    image", "  redis:\n    env_file: /srv/others.env\n    image")
    work.commit("Read a file of the host's")
    tag = release(work)
    planned = work.fairway("deploy", "staging", tag, "--plan").stdout
    said = _refuse(work, "deploy", "staging", tag)
    host.sh("rm /srv/others.env")
    assert "env-file:any:/srv/others.env" in said
    assert "env-file:any:/srv/others.env" in planned
    assert "canary-of-another" not in said + planned
    assert serving(work, "staging") == first
