"""The database is dumped, the dumps are checked, and one is put back: on a real host."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from testbed import changes
from testbed.bed import Testbed
from testbed.docker import docker
from testbed.waiting import wait_for
from testbed.workspace import FAIRWAY, Workspace
from tests.host.asking import serving, sql, start_on


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A project that serves on staging, with a table of its own in the database."""
    made = Workspace(bed, project="t-backup", port=19_960)
    host = made.host("staging")
    if host.run("command -v age", check=False).returncode != 0:
        docker("cp", shutil.which("age") or "age", f"{host.container}:/usr/local/bin/age")
    start_on(made, "staging")
    sql(
        made,
        "staging",
        "CREATE TABLE kept AS SELECT n, md5(random()::text || n) AS word FROM generate_series(1, 20000) n",
    )
    sql(made, "staging", "ALTER DATABASE capakraken SET search_path = public, pg_temp")
    yield made
    made.remove()


@pytest.fixture
def held(work: Workspace) -> Iterator[None]:
    """Hold a table, so that a dump stands still in the middle for as long as the test wants."""
    psql = f"docker exec {work.project}-postgres-1 psql -U capakraken capakraken -qc"
    hold = "BEGIN; LOCK TABLE kept IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(300)"
    work.host("staging").sh(
        f"PGAPPNAME=holder nohup {psql} \"SET application_name = 'holder'\" -c '{hold}' >/dev/null 2>&1 &"
    )
    wait_for("the table to be held", lambda: _sessions(work, "holder") == 1)
    yield
    _release(work)


def _create(work: Workspace) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(work.fairway("backup", "create", "staging", "--json").stdout)
    backup: dict[str, Any] = document["backup"]
    return backup


def _list(work: Workspace) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(work.fairway("backup", "list", "staging", "--json").stdout)
    return document


def _record(work: Workspace, action: str) -> list[dict[str, Any]]:
    entries = json.loads(work.fairway("history", "staging", "--json").stdout)
    return [entry for entry in entries if entry["action"] == action]


def _with_stdin(work: Workspace, text: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(FAIRWAY), *args],
        cwd=work.path,
        env=work.environment,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def _sessions(work: Workspace, name: str) -> int:
    found = sql(work, "staging", f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '{name}%'")
    return int(found)


def _release(work: Workspace) -> None:
    sql(work, "staging", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'")


def _stands_still(work: Workspace) -> bool:
    waiting = "application_name LIKE 'fairway-backup-2%' AND wait_event_type = 'Lock' AND query LIKE 'LOCK%'"
    return sql(work, "staging", f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}") == "1"


def _parts(work: Workspace) -> str:
    return work.host("staging").sh(f"ls {_directory(work)} | grep part || true")


def _directory(work: Workspace) -> str:
    return f"{work.deploy_path}/.fairway/backups"


def test_what_was_dumped_is_counted_checked_and_put_back_in_place_of_what_came_after(work: Workspace) -> None:
    backup = _create(work)
    assert backup["tables"]["public.kept"] == 20000
    assert backup["tag"] == work.tag
    assert work.host("staging").sh(f"stat -c '%a %U' {_directory(work)}/{backup['id']}.dump") == "600 deploy"
    assert "read to its end" in work.fairway("backup", "verify", "staging", backup["id"]).stdout
    sql(work, "staging", "DELETE FROM kept WHERE n > 10")

    refused = work.fairway("backup", "restore", "staging", backup["id"], "--yes", "production", check=False)
    assert (refused.returncode, sql(work, "staging", "SELECT count(*) FROM kept")) == (3, "10")
    restored = json.loads(
        work.fairway("backup", "restore", "staging", backup["id"], "--yes", "staging", "--json").stdout
    )
    assert sql(work, "staging", "SELECT count(*) FROM kept") == "20000"
    assert sql(work, "staging", "SHOW search_path") == "public, pg_temp"
    wait_for("the application to have its database again", lambda: serving(work, "staging") == work.tag)
    # What the backup lacks is to be migrated again, though the release serves.
    assert "migrate" in work.fairway("deploy", "staging", work.tag, "--plan").stdout
    assert _list(work)["old_databases"] == [restored["kept"]]
    work.fairway("backup", "drop-old", "staging", restored["kept"])
    assert _list(work)["old_databases"] == []
    assert [entry["outcome"] for entry in _record(work, "restore")] == ["succeeded"]
    assert _record(work, "backup")[-1]["sha256"] == backup["sha256"]


def test_a_byte_that_flipped_anywhere_is_caught_and_so_is_a_file_that_is_cut_short(work: Workspace) -> None:
    backup = _create(work)
    path = f"{_directory(work)}/{backup['id']}.dump"
    host = work.host("staging")
    flip = (
        "import sys; f = open(sys.argv[1], 'r+b'); f.seek(int(sys.argv[2])); b = f.read(1);"
        " f.seek(-1, 1); f.write(bytes([b[0] ^ 1]))"
    )
    size = backup["size_bytes"]
    for place in (0, 1, 5, size // 3, size // 2, size - 2, size - 1):
        host.sh(f'python3 -c "{flip}" {path} {place}')
        found = work.fairway("backup", "verify", "staging", backup["id"], check=False)
        assert (found.returncode, "is damaged" in found.stderr) == (1, True), place
        host.sh(f'python3 -c "{flip}" {path} {place}')
    work.fairway("backup", "verify", "staging", backup["id"])
    host.sh(f"truncate --size=-1 {path}")
    refused = work.fairway("backup", "restore", "staging", backup["id"], "--yes", "staging", check=False)
    assert refused.returncode == 1
    assert f"it has {size - 1} bytes, and had {size}" in refused.stderr
    assert _list(work)["old_databases"] == []


def test_an_encrypted_backup_opens_with_its_own_key_only_and_is_on_no_disk_before(work: Workspace) -> None:
    secret, other = (subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout for _ in "ab")
    (public,) = (line.split()[-1] for line in secret.splitlines() if line.startswith("# public key:"))
    work.configure(backup={"recipients": [public]})
    work.fairway("bootstrap", "staging")
    try:
        backup = _create(work)
        assert backup["encrypted_to"] == [public]
        path = f"{_directory(work)}/{backup['id']}.dump.age"
        assert work.host("staging").sh(f"head -c 21 {path}") == "age-encryption.org/v1"
        assert "not decrypted" in work.fairway("backup", "verify", "staging", backup["id"]).stdout
        opened = _with_stdin(work, secret, "backup", "verify", "staging", backup["id"], "--identity")
        assert "read to its end" in opened.stdout, opened.stderr
        wrong = _with_stdin(work, other, "backup", "verify", "staging", backup["id"], "--identity")
        assert (wrong.returncode, "does not open this backup" in wrong.stderr) == (1, True)
        unopened = work.fairway("backup", "restore", "staging", backup["id"], "--yes", "staging", check=False)
        assert (unopened.returncode, "this backup is encrypted" in unopened.stderr) == (2, True)
        sql(work, "staging", "DELETE FROM kept WHERE n > 10")
        restored = _with_stdin(
            work, secret, "backup", "restore", "staging", backup["id"], "--identity", "--yes", "staging", "--json"
        )
        assert restored.returncode == 0, restored.stderr
        assert sql(work, "staging", "SELECT count(*) FROM kept") == "20000"
        work.fairway("backup", "drop-old", "staging", json.loads(restored.stdout)["kept"])
        kept = next(line for line in secret.splitlines() if line.startswith("AGE-SECRET-KEY"))
        assert work.host("staging").sh(f"grep -rl {kept} {work.deploy_path} || true") == ""
    finally:
        work.configure(backup={"recipients": []})
        work.fairway("bootstrap", "staging")


def test_a_disk_that_has_no_room_or_fills_up_leaves_no_half_of_a_backup(work: Workspace) -> None:
    host, directory = work.host("staging"), _directory(work)
    word = "SELECT decode(string_agg(md5(random()::text || n || m), ''), 'hex')"
    noise = f"SELECT n, ({word} FROM generate_series(1, 64) m) AS noise"
    sql(work, "staging", f"CREATE TABLE noise AS {noise} FROM generate_series(1, 12000) n")
    try:
        for size, words in (("2m", "there is no room"), ("11m", "filled up|there is no room")):
            host.sh(f"mount -t tmpfs -o size={size},uid=1000,gid=1000,mode=700 tmpfs {directory}")
            try:
                found = work.fairway("backup", "create", "staging", check=False)
                assert found.returncode == 1
                assert any(part in found.stderr for part in words.split("|")), found.stderr
                assert host.sh(f"ls {directory}") == "lock"
            finally:
                host.sh(f"umount {directory}")
    finally:
        sql(work, "staging", "DROP TABLE noise")
    assert _record(work, "backup")[-1]["outcome"] == "failed"


@pytest.mark.usefixtures("held")
def test_a_dump_that_is_killed_is_told_and_nothing_of_it_is_left(work: Workspace) -> None:
    host = work.host("staging")
    running = work.start_fairway("backup", "create", "staging")
    wait_for("the dump to stand still", lambda: _stands_still(work))
    password = host.sh(f"grep -oP '^POSTGRES_PASSWORD=\\K.*' {work.deploy_path}/.env.production").strip("'")
    assert password
    assert password not in host.sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
    host.sh("pkill -KILL -x pg_dump")
    said, _ = running.communicate(timeout=120)
    assert (running.returncode, "could not be dumped" in said) == (1, True), said
    assert (_parts(work), _sessions(work, "fairway-backup-2")) == ("", 0)


@pytest.mark.usefixtures("held")
def test_what_a_killed_engine_left_of_a_dump_goes_with_the_next_one(work: Workspace) -> None:
    running = work.start_fairway("backup", "create", "staging")
    wait_for("the dump to stand still", lambda: _stands_still(work))
    work.host("staging").sh("pkill -KILL -f '[t]-backup/.fairway/engine'")
    running.communicate(timeout=120)
    assert running.returncode != 0
    assert _parts(work) != ""
    _release(work)
    backup = _create(work)
    assert (_parts(work), _sessions(work, "fairway-backup-2")) == ("", 0)
    assert _list(work)["backups"][0]["id"] == backup["id"]


def test_a_deployment_that_migrates_has_taken_a_backup_of_what_was_there_before(work: Workspace) -> None:
    before = {backup["id"] for backup in _list(work)["backups"]}
    changes.add_location(work)
    work.fairway("release")
    work.fairway("deploy", "staging", work.tag)
    entry = _record(work, "deploy")[-1]
    taken = next(backup for backup in _list(work)["backups"] if backup["id"] not in before)
    assert (taken["id"], taken["sha256"], taken["reason"]) == (entry["deployment"], entry["backup"]["sha256"], "deploy")
    assert entry["steps"]["backup"] < 5
    assert taken["tag"] != work.tag
    work.fairway("backup", "verify", "staging", taken["id"])
    known = len(_list(work)["backups"])
    work.fairway("rollback", "staging")
    assert len(_list(work)["backups"]) == known
