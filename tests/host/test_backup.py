"""The database is dumped, the dumps are checked, and one is put back: on a real host."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.bed import Testbed
from testbed.waiting import wait_for
from testbed.workspace import FAIRWAY, Workspace
from tests.host.asking import serving, sql, start_on


@pytest.fixture(scope="module")
def work(bed: Testbed) -> Iterator[Workspace]:
    """A project that serves on staging, with a table of its own in the database."""
    made = Workspace(bed, project="t-backup", port=19_960)
    start_on(made, "staging")
    sql(
        made,
        "staging",
        "CREATE TABLE kept AS SELECT n, md5(random()::text || n) AS word FROM generate_series(1, 20000) n",
    )
    sql(made, "staging", "ALTER DATABASE capakraken SET search_path = public, pg_temp")
    yield made
    made.remove()


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
