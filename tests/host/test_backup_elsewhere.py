"""The database is on another machine, and Compose knows nothing of it: dumped, checked, tried and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.bed import Testbed
from testbed.host import Host
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import status

SERVER = "t-elsewhere-server"
PORT = 15_432
PASSWORD = "not-in-any-argument-7c1f"
# What a restore needs of its user and no more: no superuser.
ROLE = f"CREATE ROLE reports LOGIN CREATEDB PASSWORD '{PASSWORD}'"


@pytest.fixture(scope="module")
def server(bed: Testbed) -> Iterator[Host]:
    """A PostgreSQL on the other host, reached over the network."""
    host = bed.host("production")
    publish = f"--publish {PORT}:5432 --env POSTGRES_PASSWORD=somebody-elses"
    host.sh(f"docker run --detach --name {SERVER} {publish} postgres:17")
    ready = f"docker exec {SERVER} pg_isready --quiet --host 127.0.0.1"
    wait_for("the server to be up", lambda: host.run(ready, check=False).returncode == 0)
    _sql(host, ROLE, database="postgres", user="postgres")
    _sql(host, "CREATE DATABASE reports OWNER reports", database="postgres", user="postgres")
    rows = "SELECT n, md5(n::text) AS word FROM generate_series(1, 20000) n"
    _sql(host, f"CREATE TABLE kept AS {rows}; ALTER DATABASE reports SET search_path = public, pg_temp")
    yield host
    host.sh(f"docker rm --force --volumes {SERVER}")


@pytest.fixture(scope="module")
def work(bed: Testbed, server: Host) -> Iterator[Workspace]:
    """A project that serves on staging, whose backups are of that database."""
    made = Workspace(bed, project="t-elsewhere", port=19_975)
    made.configure(backup={"url_key": "REPORTS_URL", "client_image": "postgres:17"})
    made.commit("Back the reports up")
    made.prepare_host("staging", {"REPORTS_URL": _url(server)})
    made.fairway("bootstrap", "staging")
    made.fairway("release")
    made.fairway("deploy", "staging", made.tag)
    yield made
    made.remove()


def _url(server: Host, password: str = PASSWORD) -> str:
    return f"postgresql://reports:{password}@{server.address}:{PORT}/reports"


def _sql(server: Host, statement: str, *, database: str = "reports", user: str = "reports") -> str:
    psql = ("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", f"--username={user}", database)
    return server.docker("exec", SERVER, *psql, "--command", statement)


def _json(work: Workspace, *args: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(work.fairway("backup", *args, "--json").stdout)
    return document


def _left(work: Workspace) -> str:
    """List what runs on the host beside the project: a client that was not removed, a scratch server."""
    names = work.host("staging").docker("ps", "--all", "--format", "{{.Names}}").split()
    return " ".join(name for name in names if not name.startswith(work.project))


def test_a_deployment_that_migrates_has_taken_a_backup_of_it(work: Workspace) -> None:
    (taken,) = _json(work, "list", "staging")["backups"]
    assert (taken["database"], taken["reason"], taken["tables"], taken["rows"]) == ("reports", "deploy", 1, 20000)


def test_it_is_dumped_checked_and_tried(work: Workspace, server: Host) -> None:
    before = _left(work)
    backup = _json(work, "create", "staging")["backup"]
    assert backup["tables"] == {"public.kept": 20000}
    assert "read to its end" in work.fairway("backup", "verify", "staging", backup["id"]).stdout
    _sql(server, "DELETE FROM kept WHERE n > 10")
    shown = _json(work, "drill", "staging", backup["id"])
    assert (shown["restored"], shown["counted"], shown["rows"]) == (True, True, 20000)
    assert status(work, "staging")["backups"]["warnings"] == []
    assert _sql(server, "SELECT count(*) FROM kept") == "10"
    assert _left(work) == before
    assert PASSWORD not in work.host("staging").sh(f"cat {work.deploy_path}/.fairway/ledger.jsonl")


def test_it_is_put_back_under_connections_and_the_one_before_is_kept_until_told(work: Workspace, server: Host) -> None:
    backup = _json(work, "create", "staging")["backup"]
    _sql(server, "DELETE FROM kept")
    server.sh(f"docker exec --detach {SERVER} psql --username=reports reports --command 'SELECT pg_sleep(600)'")
    others = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    wait_for("somebody to be connected", lambda: _sql(server, others) == "1")
    restored = _json(work, "restore", "staging", backup["id"], "--yes", "staging")
    assert _sql(server, "SELECT count(*) FROM kept") == str(backup["tables"]["public.kept"])
    assert _sql(server, "SHOW search_path") == "public, pg_temp"
    assert _sql(server, others) == "0"
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'reports'"
    assert _sql(server, owner) == "reports"
    assert _json(work, "list", "staging")["old_databases"] == [restored["kept"]]
    work.fairway("backup", "drop-old", "staging", restored["kept"])
    databases = "SELECT count(*) FROM pg_database WHERE datname LIKE 'reports%'"
    assert (_json(work, "list", "staging")["old_databases"], _sql(server, databases)) == ([], "1")


def test_a_client_that_is_older_than_the_server_is_told_before_it_dumps(work: Workspace) -> None:
    host = work.host("staging")
    # A psql that calls itself one of PostgreSQL 16: there is no second version of PostgreSQL here.
    older = '#!/bin/sh\nexec /usr/lib/postgresql/17/bin/psql --set VERSION_NUM=160009 "$@"\n'
    host.sh("mkdir /root/older")
    host.put("/root/older/psql", older, mode=0o755)
    host.put("/root/older/Dockerfile", "FROM postgres:17\nCOPY psql /usr/local/bin/psql\n")
    host.sh("docker build --quiet --tag older-client:16 /root/older")
    work.configure(backup={"client_image": "older-client:16"})
    work.fairway("bootstrap", "staging")
    try:
        known = len(_json(work, "list", "staging")["backups"])
        refused = work.fairway("backup", "create", "staging", check=False)
        assert refused.returncode == 1
        assert "the server is PostgreSQL 17, pg_dump is 16" in refused.stderr
        assert "backup.client_image" in refused.stderr
        assert len(_json(work, "list", "staging")["backups"]) == known
    finally:
        work.configure(backup={"client_image": "postgres:17"})
        work.fairway("bootstrap", "staging")
        host.sh("docker rmi older-client:16; rm -r /root/older")


def test_a_database_that_does_not_let_us_in_is_told_without_its_password(work: Workspace, server: Host) -> None:
    host, path = work.host("staging"), f"{work.deploy_path}/.env.production"
    host.sh(f"sed -i s/{PASSWORD}/quite-another-one/ {path}")
    try:
        refused = work.fairway("backup", "create", "staging", check=False)
        assert (refused.returncode, "password authentication failed" in refused.stderr) == (1, True), refused.stderr
        assert "quite-another-one" not in refused.stderr + refused.stdout
    finally:
        host.sh(f"sed -i s/quite-another-one/{PASSWORD}/ {path}")
    server.sh(f"docker stop --time 1 {SERVER}")
    try:
        refused = work.fairway("backup", "create", "staging", check=False)
        assert (refused.returncode, "Connection refused" in refused.stderr) == (1, True), refused.stderr
        assert PASSWORD not in refused.stderr + refused.stdout
    finally:
        server.sh(f"docker start {SERVER}")
        ready = f"docker exec {SERVER} pg_isready --quiet --host 127.0.0.1"
        wait_for("the server to be up again", lambda: server.run(ready, check=False).returncode == 0)
