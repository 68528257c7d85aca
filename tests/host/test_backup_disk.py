"""A disk that fills up while a backup is tried: the drill ends before what serves has nothing left."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator

import pytest

from testbed.bed import Testbed
from testbed.host import Host
from testbed.waiting import wait_for
from testbed.workspace import Workspace


@pytest.fixture
def small(bed: Testbed) -> Iterator[Host]:
    """A host whose Docker has room for a drill, and little more."""
    host = bed.add_host(f"small-{secrets.token_hex(3)}", docker_disk="4g")
    yield host
    bed.remove_host(host.name)


def _free_mib(host: Host) -> int:
    return int(host.sh("df -m --output=avail /var/lib/docker | tail -n 1"))


def test_a_drill_ends_before_the_disk_is_full_and_says_nothing_of_the_backup(
    small: Host, make_workspace: Callable[..., Workspace]
) -> None:
    work = make_workspace(environments={"staging": small.name})
    work.prepare_host("staging")
    work.fairway("bootstrap", "staging")
    name = f"{work.project}-postgres-1"
    labels = " ".join(
        f"--label com.docker.compose.{label}={value}"
        for label, value in (("project", work.project), ("service", "postgres"), ("container-number", "1"))
    )
    small.sh(f"docker run --detach --name {name} {labels} --env POSTGRES_PASSWORD=x postgres:17")
    ready = f"docker exec {name} pg_isready --quiet --host 127.0.0.1"
    wait_for("the database to be up", lambda: small.run(ready, check=False).returncode == 0)
    wide = "CREATE TABLE wide AS SELECT n, repeat(md5(n::text), 30) AS word FROM generate_series(1, 400000) n"
    small.docker("exec", name, "psql", "--quiet", "--username=postgres", "--command", wide)
    backup = json.loads(work.fairway("backup", "create", "staging", "--json").stdout)["backup"]

    drill = work.start_fairway("backup", "drill", "staging")
    # Something else takes the room as soon as the load has begun, all but less than is to stay.
    small.sh(
        "until pgrep --exact pg_restore >/dev/null; do sleep 0.02; done;"
        " free=$(df -m --output=avail /var/lib/docker | tail -n 1);"
        " fallocate --length $((free - 500))M /var/lib/docker/somebody-elses"
    )
    said, _ = drill.communicate(timeout=120)
    assert (drill.returncode, "ended before it filled the disk" in said) == (1, True), said
    assert small.docker("ps", "--all", "--quiet", "--filter", "label=dev.fairway.drill") == ""
    small.sh("rm /var/lib/docker/somebody-elses")
    tried = json.loads(work.fairway("history", "staging", "--json").stdout)[-1]
    assert (tried["action"], tried["outcome"], tried["unsound"]) == ("drill", "failed", False)

    # What cannot fit is not begun.
    small.sh(f"fallocate --length {_free_mib(small) - 1024}M /var/lib/docker/somebody-elses")
    refused = work.fairway("backup", "drill", "staging", backup["id"], check=False)
    assert (refused.returncode, "no room for the drill" in refused.stderr) == (1, True), refused.stderr
    refused = work.fairway("backup", "restore", "staging", "--yes", "staging", check=False)
    assert (refused.returncode, "no room for a second database" in refused.stderr) == (1, True), refused.stderr
