"""The main job as one story: built once, proven in staging, promoted by digest, rolled back, under load."""

from __future__ import annotations

import json
from typing import Any

from testbed import changes
from testbed.load import Load
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, start_on, status

_CHANGED = "      POSTGRES_DB: capakraken\n      POSTGRES_INITDB_ARGS: --data-checksums\n      POSTGRES_PASSWORD"
CANARY = "canary-7f3a9b1c5d2e8f40"


def test_a_release_goes_from_a_commit_to_production_and_back_without_a_dropped_request(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging", "production")
    assert serving(work, "staging") == serving(work, "production") == first

    with Load(work.url("production", "/api/health"), connections=16, rate_per_s=150, max_s=240) as load:
        changes.add_location(work)
        second = release(work)
        refused = work.fairway("promote", second, check=False)
        assert refused.returncode == 3
        # By production itself, which has it on record.
        assert "may not go to production: ready on staging" in refused.stderr
        assert "nobody has said so" in refused.stderr
        assert serving(work, "production") == first

        work.fairway("deploy", "staging", second)
        promoted = json.loads(work.fairway("promote", second, "--json").stdout)
        assert promoted["outcome"] == "succeeded"
        assert serving(work, "production") == second

        changes.never_ready(work)
        work.configure(readiness={"timeout_s": 4})
        work.commit("Give up sooner")
        third = release(work)
        unready = work.fairway("deploy", "staging", third, check=False)
        assert unready.returncode == 1
        assert "the forecast service at forecast:8080 is not there" in unready.stderr
        assert serving(work, "staging") == second
        assert work.fairway("promote", third, check=False).returncode == 3
        assert serving(work, "production") == second

        rolled_back = json.loads(work.fairway("rollback", "production", "--json").stdout)
        assert rolled_back["tag"] == first
        assert serving(work, "production") == first

    assert load.report.reasons == {}
    assert load.report.releases == [first, second, first]
    assert load.report.total > 1000
    assert [(e["action"], e["outcome"], e["tag"]) for e in history(work, "production")] == [
        ("deploy", "succeeded", first),
        ("deploy", "failed", second),
        ("deploy", "succeeded", second),
        ("deploy", "failed", third),
        ("rollback", "succeeded", first),
    ]
    assert [e["outcome"] for e in history(work, "staging")] == ["succeeded", "succeeded", "failed"]
    found = status(work, "production")
    assert (found["serving"]["tag"], found["drift"]) == (first, [])
    assert found["previous"]["tag"] == second


def test_a_database_whose_definition_changed_is_recreated_only_when_asked_for(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")

    def database() -> str:
        return work.host("staging").docker("inspect", "--format", "{{.Id}}", f"{work.project}-postgres-1")

    before = database()
    work.edit("docker-compose.cicd.yml", "      POSTGRES_DB: capakraken\n      POSTGRES_PASSWORD", _CHANGED)
    work.commit("Tune the database")
    tag = release(work)
    planned = work.fairway("deploy", "staging", tag, "--plan")
    assert "postgres kept as it runs although its definition changed" in planned.stdout
    done = work.fairway("deploy", "staging", tag)
    assert "to apply it: --recreate postgres" in done.stderr
    assert database() == before
    changes.retitle(work, "Second")
    second = release(work)
    wrong = work.fairway("deploy", "staging", second, "--recreate", "postgers", check=False)
    assert wrong.returncode == 2
    work.fairway("deploy", "staging", second, "--recreate", "postgres")
    assert database() != before
    assert serving(work, "staging") == second


def test_production_runs_the_digests_that_staging_ran(workspace: Workspace) -> None:
    work = workspace
    tag = start_on(work, "staging", "production")
    images = {e: status(work, e)["serving"]["image"] for e in ("staging", "production")}
    assert images["staging"] == images["production"]
    name = f"{work.project}-app-blue"
    running = {e: work.host(e).docker("inspect", "--format", "{{.Image}}", name) for e in images}
    assert running["staging"] == running["production"]
    listed = json.loads(work.fairway("releases", "--json").stdout)
    assert [(r["tag"], r["app"]) for r in listed] == [(tag, images["production"])]


def test_the_tag_that_already_serves_changes_nothing(workspace: Workspace) -> None:
    work = workspace
    tag = start_on(work, "staging")
    before = _without_health(status(work, "staging"))
    again = work.fairway("deploy", "staging", tag)
    assert "already what serves; nothing was changed" in again.stdout
    assert _without_health(status(work, "staging")) == before
    assert len(history(work, "staging")) == 1


def _without_health(told: dict[str, Any]) -> dict[str, Any]:
    """Leave out what goes on by itself: Docker's own checks of the containers, and who is connected."""
    slots = {name: {**facts, "health": None, "connections": None} for name, facts in told["slots"].items()}
    return {**told, "slots": slots, "services": sorted(told["services"])}


def test_workers_move_with_the_release_and_the_database_is_left_alone(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    host = work.host("staging")

    def container(service: str, what: str) -> str:
        return host.docker("inspect", "--format", what, f"{work.project}-{service}-1")

    label = '{{index .Config.Labels "dev.fairway.tag"}}'
    assert container("worker", label) == first
    database = container("postgres", "{{.Id}} {{.State.StartedAt}}")
    changes.retitle(work, "CapaKraken 2")
    second = release(work)
    work.fairway("deploy", "staging", second)
    assert container("worker", label) == second
    assert container("postgres", "{{.Id}} {{.State.StartedAt}}") == database


def test_no_secret_leaves_the_host_s_own_file(workspace: Workspace) -> None:
    work = workspace
    work.prepare_host("staging", {"NEXTAUTH_SECRET": CANARY + "x" * 16, "POSTGRES_PASSWORD": CANARY})
    work.fairway("bootstrap", "staging")
    tag = release(work)
    said = [work.fairway("deploy", "staging", tag)]
    changes.migration_that_fails(work)
    said.append(work.fairway("deploy", "staging", release(work), check=False))
    said.append(work.fairway("logs", "staging"))
    said.append(work.fairway("status", "staging", "--json"))
    host = work.host("staging")
    for completed in said:
        assert CANARY not in completed.stdout + completed.stderr
    assert host.sh(f"grep -rl {CANARY} {work.deploy_path}") == f"{work.deploy_path}/.env.production"
    assert CANARY not in host.docker("inspect", f"{work.project}-edge")
    image = status(work, "staging")["serving"]["image"]
    assert CANARY not in host.docker("image", "inspect", image) + host.docker("history", "--no-trunc", image)
    assert host.sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c canar[y] || true") == "0"
    # What the host is and goes by holds no secret: where root keeps it, the deploy user reads it.
    open_to_read = "! -name haproxy.cfg ! -name host.json ! -path '*/.fairway/trust/*'"
    private = host.sh(f"find {work.deploy_path}/.fairway -type f -perm /077 {open_to_read}")
    assert private == ""


def test_what_is_written_for_the_operator_is_enough_for_compose_alone(workspace: Workspace) -> None:
    work = workspace
    tag = start_on(work, "staging")
    host = work.host("staging")
    files = host.sh(f"ls -A {work.deploy_path} {work.deploy_path}/tooling/deploy").split()
    assert {"docker-compose.cicd.yml", "deploy.env", ".env.production.example", "README.md"} <= set(files)
    images = host.sh(
        f"cd {work.deploy_path} && docker compose --file docker-compose.cicd.yml --env-file .env.production"
        " --env-file deploy.env config --images"
    )
    assert status(work, "staging")["serving"]["image"] in images.split()
    assert tag in host.get(f"{work.deploy_path}/deploy.env")
