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
SMOKE = '''\
"""Say whether there is something to work with, and no way to anything else."""

import os
import socket
import sys


def reached(where: str) -> bool:
    host, _, port = where.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
    except OSError:
        return False
    return True


if not reached("postgres:5432") or not reached("redis:6379"):
    sys.exit("nothing to work with")
if "@fairway-database:5432/" not in os.environ.get("DATABASE_URL", "@fairway-database:5432/"):
    sys.exit("the URL of the database leads elsewhere")
# Where the host would have an address of its own in this network.
gateway = socket.gethostbyname(socket.gethostname()).rpartition(".")[0] + ".1:22"
if out := [where for where in (gateway, *sys.argv[1:]) if reached(where)]:
    sys.exit(f"a way out: {out}")
'''
RECORD = "SELECT version_num FROM alembic_version"


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A project whose migrations are rehearsed, and whose first release serves on staging."""
    made = Workspace(bed, project=f"t-{secrets.token_hex(4)}", port=27_500 + secrets.randbelow(1_000))
    try:
        made.configure(
            readiness={"timeout_s": 25},
            rehearsal={"smoke": ["python", "-m", "capakraken.smoke", *_elsewhere(made)]},
            migrations={"kind": "alembic"},
            environments={"staging": {"rehearse": True}},
        )
        made.write("capakraken/smoke.py", SMOKE)
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


def _elsewhere(work: Workspace) -> list[str]:
    """Return where nobody gets from a rehearsal: what serves, the host's own services, another machine."""
    real = [f"{work.project}-{name}" for name in ("postgres-1:5432", "redis-1:6379", "app-blue:3000")]
    host = work.host("staging").http(work.port).removeprefix("http://").rpartition(":")[0]
    return [*real, f"{host}:{work.port}", f"{host}:22", work.bed.registry.address]


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


def test_a_migration_that_breaks_the_release_before_is_caught_whatever_was_said_of_it(work: Workspace) -> None:
    before, record = serving(work, "staging"), sql(work, "staging", RECORD)
    changes.renames_in_secret(work, record)
    tag = release(work)
    done = work.fairway("deploy", "staging", tag, check=False)
    assert done.returncode == 1
    assert f"in the rehearsal {before[:11]}, which serves, is not ready on what the migrations leave" in done.stderr
    assert "the database lacks people.full_name" in done.stderr
    assert "fairway migrations accept <id> --as contract" in done.stderr
    assert (serving(work, "staging"), sql(work, "staging", RECORD)) == (before, record)
    entry = history(work, "staging")[-1]
    assert (entry["outcome"], entry["rehearsal"]["outcome"]) == ("failed", "failed")
    assert "migrate" not in entry["steps"]


def test_a_migration_that_fails_fails_on_the_copy(work: Workspace) -> None:
    before, record = serving(work, "staging"), sql(work, "staging", RECORD)
    changes.migration_that_fails(work, record)
    done = work.fairway("deploy", "staging", release(work), check=False)
    assert done.returncode == 1
    assert "in the rehearsal the migration failed (exit code 1)" in done.stderr
    assert "could not create unique index" in done.stderr
    assert (serving(work, "staging"), sql(work, "staging", RECORD)) == (before, record)


def test_an_engine_that_is_killed_in_a_rehearsal_leaves_nothing_of_it_to_the_next(work: Workspace) -> None:
    changes.slow_migration(work, 300, sql(work, "staging", RECORD))
    tag, before = release(work), serving(work, "staging")
    client = work.start_fairway("deploy", "staging", tag)
    identity = wait_for_step(work, "staging", "rehearse")
    database = f"{work.project}-rehearsal-{identity}-database"
    wait_for("the migrator to be at work", lambda: _migrators(work, database) == "1", timeout_s=90, interval_s=0.5)
    work.host("staging").sh(f"pkill -KILL -f '{work.deploy_path}/[.]fairway/engine/current serve'")
    client.communicate(timeout=60)
    assert _left(work) != ""
    back = work.fairway("reconcile", "staging", "--yes")
    assert f"undid the interrupted deploy of {tag[:11]}, lost in rehearse" in back.stderr
    assert _left(work) == ""
    assert serving(work, "staging") == before

    client = work.start_fairway("deploy", "staging", tag)
    wait_for_step(work, "staging", "rehearse")
    wait_for("a copy of the database", lambda: _left(work) != "", timeout_s=90, interval_s=0.5)
    work.fairway("cancel", "staging", check=False)
    client.communicate(timeout=60)
    assert client.returncode == 130
    assert serving(work, "staging") == before


def test_a_database_elsewhere_is_copied_and_its_url_leads_to_the_copy(work: Workspace) -> None:
    host = work.host("staging")
    url = "postgresql://capakraken:$POSTGRES_PASSWORD@postgres:5432/capakraken?sslmode=prefer"
    host.sh(f"""
        cd {work.deploy_path}
        . ./.env.production
        echo "DATABASE_URL='{url}'" >>.env.production
        rm -f .fairway/backups/*.dump .fairway/backups/*.json
    """)
    elsewhere = {"url_key": "DATABASE_URL", "client_image": "postgres:17"}
    work.configure(environments={"staging": {"backup": elsewhere}})
    work.fairway("bootstrap", "staging")
    before, record = serving(work, "staging"), sql(work, "staging", RECORD)
    changes.slow_migration(work, 1, record)
    done = work.fairway("migrations", "rehearse", "staging", release(work))
    assert f"staging: {before[:11]} runs on after the migrations of {work.tag[:11]}" in done.stdout
    assert "on a copy made straight from the database" in done.stderr
    entry = history(work, "staging")[-1]
    assert (entry["action"], entry["outcome"], entry["rehearsal"]["backup"]) == ("rehearsal", "succeeded", None)
    assert [one["migrations"] for one in entry["rehearsal"]["migrations"]] == [["0008"]]
    assert (serving(work, "staging"), sql(work, "staging", RECORD)) == (before, record)
    assert work.tag[:11] not in work.fairway("rollback", "staging", "--plan", check=False).stdout


def _migrators(work: Workspace, database: str) -> str:
    statement = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
    psql = f'psql -U fairway_rehearsal -d capakraken -qAtc "{statement}"'
    return work.host("staging").run(f"docker exec {database} {psql}", check=False).stdout.strip()
