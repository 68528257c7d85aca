"""What an operator does by hand shows, is brought back when asked, and a rotated secret is one restart away."""

from __future__ import annotations

import json
import secrets

from testbed import changes
from testbed.load import Load
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, slots_running, start_on, status

SERVING = "{{.Config.Env}}"


def test_a_rotated_secret_is_drift_until_a_restart_loads_it(workspace: Workspace) -> None:
    work = workspace
    values = work.prepare_host("staging")
    work.fairway("bootstrap", "staging")
    tag = release(work)
    work.fairway("deploy", "staging", tag)
    rotated = secrets.token_hex(24)
    work.prepare_host("staging", {**values, "NEXTAUTH_SECRET": rotated})
    found = work.fairway("status", "staging", check=False)
    assert found.returncode == 1
    assert ".env.production changed since the container of blue was started with it" in found.stdout

    planned = work.fairway("restart", "staging", "--plan")
    assert "nothing was changed" in planned.stdout
    assert "migrate" not in planned.stdout
    assert slots_running(work, "staging") == [f"{work.project}-app-blue"]

    with Load(work.url("staging", "/api/health"), connections=4, rate_per_s=50) as load:
        work.fairway("restart", "staging")
    assert load.report.reasons == {}
    environment = work.host("staging").docker("inspect", "--format", SERVING, f"{work.project}-app-green")
    assert rotated in environment
    found_now = status(work, "staging")
    assert (found_now["serving"]["tag"], found_now["drift"], found_now["previous"]) == (tag, [], None)
    ledger = work.host("staging").get(f"{work.deploy_path}/.fairway/ledger.jsonl")
    assert rotated not in ledger + found.stdout + planned.stdout
    assert history(work, "staging")[-1]["action"] == "restart"


def test_what_was_done_by_hand_is_named_and_reconciled(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    host = work.host("staging")
    host.docker("rm", "--force", f"{work.project}-app-blue")
    host.docker("stop", f"{work.project}-worker-1")
    host.sh(f"echo '# by hand' >> {work.deploy_path}/docker-compose.cicd.yml")
    drift = status(work, "staging")["drift"]
    assert drift == [
        "the container of blue is gone",
        "the worker worker is exited",
        "docker-compose.cicd.yml differs from the release's",
    ]
    planned = json.loads(work.fairway("reconcile", "staging", "--plan", "--json").stdout)
    assert planned["drift"] == drift
    assert [step["step"] for step in planned["steps"]][-1] == "record"
    assert status(work, "staging")["drift"] == drift

    asked = work.fairway("reconcile", "staging", check=False)
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    work.fairway("reconcile", "staging", "--yes")
    assert serving(work, "staging") == first
    assert status(work, "staging")["drift"] == []
    again = work.fairway("reconcile", "staging", "--yes")
    assert "nothing to do" in again.stdout
    assert [entry["action"] for entry in history(work, "staging")] == ["deploy", "reconcile"]


def test_traffic_that_was_moved_by_hand_is_not_built_upon(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.retitle(work, "Second")
    second = release(work)
    work.fairway("deploy", "staging", second)
    socket = f"{work.deploy_path}/.fairway/edge/run/admin.sock"
    move = "set server app/blue state ready; set server app/green state maint"
    host = work.host("staging")
    ask = f"import socket; s=socket.socket(socket.AF_UNIX); s.connect('{socket}'); s.sendall(b'{move}\\n'); s.recv(99)"
    host.sh(f'python3 -c "{ask}"')
    assert serving(work, "staging") == first
    refused = work.fairway("rollback", "staging", check=False)
    assert refused.returncode == 3
    assert "the edge sends traffic to blue, but green is recorded" in refused.stderr
    with Load(work.url("staging", "/api/health"), connections=4, rate_per_s=50) as load:
        work.fairway("reconcile", "staging", "--yes")
    assert load.report.reasons == {}
    assert serving(work, "staging") == second
    assert status(work, "staging")["drift"] == []


def test_status_says_what_could_be_gone_back_to_and_at_what_cost(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.retitle(work, "Second")
    second = release(work)
    work.fairway("deploy", "staging", second)
    (row,) = status(work, "staging")["rollbacks"]
    assert (row["tag"], row["possible"], row["warm"], row["image"]) == (first, True, True, True)
    warm_s = row["seconds"]
    host = work.host("staging")
    image = host.docker("inspect", "--format", "{{.Config.Image}}", f"{work.project}-app-blue")
    host.docker("rm", "--force", f"{work.project}-app-blue")
    host.docker("rmi", "--force", image)
    found = work.fairway("status", "staging")
    assert "cold  to be pulled" in found.stdout
    assert "migrations on record: 1, the newest alembic 0005" in found.stdout
    (row,) = status(work, "staging")["rollbacks"]
    assert (row["warm"], row["image"]) == (False, False)
    assert row["seconds"] > warm_s
    host.sh(f"rm -r {work.deploy_path}/.fairway/releases/{first}")
    (row,) = status(work, "staging")["rollbacks"]
    assert row["possible"] is False
    assert "this host does not have the release" in row["why"]


def test_with_everything_else_gone_the_host_itself_goes_back(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.retitle(work, "Second")
    work.fairway("deploy", "staging", release(work))
    host = work.host("staging")
    engine = f"python3 -I {work.deploy_path}/.fairway/engine/current"
    shown = host.sh(f"{engine} status", user="deploy")
    assert f"go back to: {first}" in shown
    planned = host.sh(f"{engine} rollback --plan", user="deploy")
    assert "nothing was changed" in planned
    with Load(work.url("staging", "/api/health"), connections=4, rate_per_s=50) as load:
        host.sh(f"{work.deploy_path}/fairway rollback", user="root")
    assert host.sh(f"find {work.deploy_path}/.fairway -user root") == ""
    assert load.report.reasons == {}
    assert serving(work, "staging") == first
    last = history(work, "staging")[-1]
    assert (last["action"], last["outcome"]) == ("rollback", "succeeded")
    assert last["by"].endswith("(on the host)")
