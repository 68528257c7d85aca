"""Migrations run once, whatever becomes of the engine, and never hold the site up for a lock."""

from __future__ import annotations

from testbed import changes
from testbed.load import Load
from testbed.visitor import ADMINISTRATOR, sign_in
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, sql, start_on, wait_for_step

# Somebody's session that has read a table, and does nothing any more.
HOLD = ("--command", "BEGIN; LOCK TABLE people IN ACCESS SHARE MODE", "--command", r"\! sleep 600")
HOLDERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%LOCK TABLE people%'"
)
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'fairway-%'"


def _kill_engine(work: Workspace) -> None:
    work.host("staging").sh(f"pkill -KILL -f '{work.deploy_path}/[.]fairway/engine/current serve'")


def test_a_migrator_whose_engine_was_killed_is_waited_for_before_anything_is_decided(workspace: Workspace) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.slow_migration(work, 8)
    tag = release(work)
    client = work.start_fairway("deploy", "staging", tag)
    wait_for_step(work, "staging", "migrate")
    wait_for("the migrator's session", lambda: sql(work, "staging", SESSIONS) == "1")
    _kill_engine(work)
    client.communicate(timeout=60)
    done = work.fairway("deploy", "staging", tag)
    assert f"undid the interrupted deploy of {tag[:11]}, lost in migrate" in done.stderr
    assert serving(work, "staging") == tag
    lost, again = history(work, "staging")[1:]
    assert (lost["outcome"], lost["schema"]["after"]) == ("failed", ["alembic 0008"])
    assert again["schema"] == {"before": ["alembic 0008"], "after": ["alembic 0008"]}
    assert first != tag


def test_the_statement_of_a_killed_migrator_does_not_commit_behind_our_back(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    changes.slow_migration(work, 300)
    tag = release(work)
    client = work.start_fairway("deploy", "staging", tag)
    identity = wait_for_step(work, "staging", "migrate")
    wait_for("the migrator's session", lambda: sql(work, "staging", SESSIONS) == "1")
    work.host("staging").docker("kill", "--signal", "KILL", f"{work.project}-migrate-{identity}")
    said, _ = client.communicate(timeout=60)
    assert client.returncode == 1
    assert "the migration failed (exit code 137)" in said
    assert sql(work, "staging", SESSIONS) == "0"
    assert sql(work, "staging", "SELECT to_regclass('slowly_made') IS NULL") == "t"
    assert sql(work, "staging", "SELECT version_num FROM alembic_version") == "0005"
    changes.slow_migration(work, 0)
    again = release(work)
    work.fairway("deploy", "staging", again)
    assert serving(work, "staging") == again
    assert sql(work, "staging", "SELECT version_num FROM alembic_version") == "0008"


def test_releases_that_migrate_come_one_after_the_other_each_from_where_the_last_one_ended(
    workspace: Workspace,
) -> None:
    work = workspace
    first = start_on(work, "staging")
    changes.slow_migration(work, 8)
    one = release(work)
    changes.altered_table(work, after="0008")
    other = release(work)
    with Load(work.url("staging", "/api/health"), connections=2, rate_per_s=20) as load:
        client = work.start_fairway("deploy", "staging", one)
        wait_for_step(work, "staging", "migrate")
        assert work.fairway("deploy", "staging", other, check=False).returncode == 4
        work.fairway("deploy", "staging", other, "--wait", "300")
        client.communicate(timeout=60)
    assert client.returncode == 0
    assert serving(work, "staging") == other
    told = [(entry["tag"], entry["outcome"], entry["schema"]) for entry in history(work, "staging")[1:]]
    assert told == [
        (one, "succeeded", {"before": ["alembic 0005"], "after": ["alembic 0008"]}),
        (other, "succeeded", {"before": ["alembic 0008"], "after": ["alembic 0009"]}),
    ]
    assert load.report.reasons == {}
    assert load.report.releases == [first, one, other]


def test_a_lock_that_somebody_holds_is_waited_for_briefly_and_tried_again(workspace: Workspace) -> None:
    work = workspace
    work.configure(migrations={"lock_timeout_s": 1, "attempts": 6})
    work.commit("Wait for a lock for a second")
    work.prepare_host("staging", ADMINISTRATOR)
    work.fairway("bootstrap", "staging")
    work.fairway("deploy", "staging", release(work))
    cookie = {"Cookie": sign_in(work.url("staging", ""))}
    changes.altered_table(work)
    tag = release(work)
    psql = ("psql", "--no-psqlrc", "--username=capakraken", *HOLD, "capakraken")
    work.host("staging").docker("exec", "--detach", f"{work.project}-postgres-1", *psql)
    wait_for("the lock to be held", lambda: sql(work, "staging", HOLDERS) == "1")
    # Whoever reads the table stands in the queue behind the migration, for as long as that waits for its lock.
    with Load(work.url("staging", "/"), connections=4, rate_per_s=20, headers=cookie) as load:
        client = work.start_fairway("deploy", "staging", tag)
        assert client.stdout is not None
        assert any("a lock stood in the way for 1 s; trying again" in line for line in client.stdout)
        sql(work, "staging", HOLDERS.replace("count(*)", "pg_terminate_backend(pid)"))
        client.communicate(timeout=180)
    assert serving(work, "staging") == tag
    assert load.report.reasons == {}
    # The holder would have made them wait for ten minutes; how long a second takes is the machine's affair.
    assert 0.5 < load.report.latency_s(1.0) < 15
    schema = history(work, "staging")[-1]["schema"]
    assert schema == {"before": ["alembic 0005"], "after": ["alembic 0009"]}
