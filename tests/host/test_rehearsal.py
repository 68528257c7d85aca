"""A release's migrations are tried on a copy of the database first, and the release that serves on what they leave."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest

from testbed import changes
from testbed.bed import Testbed
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, sql, start_on, wait_for_step

LABEL = "label=dev.fairway.rehearsal"
SMOKE = ["python", "-c", "import socket; socket.create_connection(('postgres', 5432), 2); print('smoke')"]


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A project whose migrations are rehearsed, and whose first release serves on staging."""
    made = Workspace(bed, project=f"t-{secrets.token_hex(4)}", port=27_500 + secrets.randbelow(1_000))
    try:
        made.configure(
            readiness={"timeout_s": 15},
            rehearsal={"smoke": SMOKE},
            migrations={"kind": "alembic"},
            environments={"staging": {"rehearse": True}},
        )
        made.commit("Rehearse")
        start_on(made, "staging")
        yield made
    finally:
        made.remove()


@pytest.fixture(autouse=True)
def _from_what_serves(work: Workspace) -> Iterator[None]:
    """Start each test from the commit that serves, and see that nothing of a rehearsal is left."""
    work.git("checkout", "--quiet", "--detach", serving(work, "staging").removeprefix("sha-"))
    yield
    assert _left(work) == ""


def _left(work: Workspace) -> str:
    host = work.host("staging")
    listed = host.docker("ps", "--all", "--quiet", "--filter", LABEL)
    listed += host.docker("network", "ls", "--quiet", "--filter", LABEL)
    return listed + host.sh(f"ls {work.deploy_path}/.fairway/rehearsal 2>/dev/null || true")


def _rehearsal(work: Workspace) -> dict[str, object]:
    found: dict[str, object] = history(work, "staging")[-1]["rehearsal"]
    return found


def test_a_release_that_expands_is_rehearsed_with_the_one_before_and_the_report_says_how_it_went(
    work: Workspace,
) -> None:
    changes.add_location(work)
    changes.holds_a_lock(work)
    tag = release(work)
    before = serving(work, "staging")
    planned = work.fairway("deploy", "staging", tag, "--plan").stdout
    assert f"then ask {before[:11]} for its readiness there and run python" in planned
    volumes = work.host("staging").docker("volume", "ls", "--quiet")
    done = work.fairway("deploy", "staging", tag)
    assert serving(work, "staging") == tag
    found = _rehearsal(work)
    assert (found["outcome"], found["before"]) == ("passed", {"tag": before, "ready": True, "smoke": True})
    assert found["backup"] == history(work, "staging")[-1]["deployment"]
    locks = {(one["relation"], one["mode"]): one for one in json.loads(json.dumps(found["locks"]))}
    held = locks["people", "ACCESS EXCLUSIVE"]
    assert held["blocks"] == "reads and writes"
    assert 0.5 <= held["held_s"] < 5
    assert "ACCESS EXCLUSIVE on people: held" in done.stderr + done.stdout
    assert work.host("staging").docker("volume", "ls", "--quiet") == volumes
