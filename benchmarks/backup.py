"""What a checked backup costs: ours beside plain ``pg_dump`` and ``pg_restore``, of a database of about a gigabyte."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from benchmarks.report import Section, table
from benchmarks.timing import ratio, say, seconds, timed
from testbed.workspace import Workspace

_ENVIRONMENT = "staging"
_GIBIBYTE = 2**30
# Half of it compresses as text does, half hardly at all.
_ROW = "n, repeat('the same words again ', 20) AS words, (SELECT string_agg(md5(n::text || m), '') {}) AS noise"
_ROWS_AT_ONCE = 100_000
_PATIENCE_S = 3600.0
_FLIPS = 16
_FLIP = (
    "import sys; f = open(sys.argv[1], 'r+b'); f.seek(int(sys.argv[2])); b = f.read(1)[0]; f.seek(-1, 1);"
    " f.write(bytes([b ^ 1]))"
)


def measure(work: Workspace, *, rounds: int, size_bytes: int = _GIBIBYTE) -> Section:
    """Dump, verify and restore, in turn, each beside the plain programs in the same container."""
    size = _fill(work, size_bytes)
    dumps, checks, restores, drills = _Pair(), _Pair(), _Pair(), _Pair()
    backup: dict[str, Any] = {}
    load = [os.getloadavg()[0]]
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: a database of {size / 2**20:.0f} MiB")
        dumps.plain.append(timed(lambda: _plain(work, "pg_dump --format=custom --compress=1 {db} > /tmp/plain.dump")))
        dumps.ours.append(timed(lambda: backup.update(_create(work))))
        checks.plain.append(timed(lambda: _plain(work, "pg_restore --file=/dev/null < /tmp/plain.dump")))
        checks.ours.append(timed(lambda: _fairway(work, "verify", str(backup["id"]))))
        restores.plain.append(timed(lambda: _plain_restore(work)))
        restores.ours.append(timed(lambda: _restore(work, str(backup["id"]))))
        drills.plain.append(restores.plain[-1])
        drills.ours.append(timed(lambda: _fairway(work, "drill", str(backup["id"]))))
        load.append(os.getloadavg()[0])
    _counted(work, backup)
    caught = _flip_and_verify(work, backup)
    rows = [
        ("dump; ours reads it to its end and counts every row", *dumps.cells()),
        ("read to its end; ours checks the digest, too", *checks.cells()),
        ("restore into a new database; ours checks, counts, analyzes and switches", *restores.cells()),
        ("a drill, beside that same plain restore: in a PostgreSQL of its own, checked and counted", *drills.cells()),
    ]
    text = table(("", "plain", "Fairway", "ratio"), rows)
    about = f"""\
Ours and the plain programs in turn, {rounds} rounds, medians; each ratio is of its own round. Ours are whole
commands over SSH. The database has {size / 2**20:.0f} MiB, the dump {backup["size_bytes"] / 2**20:.0f} MiB;
{sum(backup["tables"].values())} rows were counted, and are the same after a restore. A bit was flipped in the
dump at each of {len(caught)} places: `verify` found {sum(caught)} of them. The load of the machine from round to
round was {", ".join(f"{one:.1f}" for one in load)} on {os.cpu_count()} cores, of which the work itself is about 3:
what is above that was other work beside it, and only the ratios count."""
    short = (
        f"Of a database of {size / 2**30:.1f} GiB a backup that is checked and counted takes {dumps.ratio} times as"
        f" long as plain `pg_dump`, a restore that is checked, counted and switched to {restores.ratio} times plain"
        " `pg_restore`."
    )
    return Section("Backups", (short,), f"{about}\n\n{text}")


class _Pair:
    """The times of both, round by round."""

    def __init__(self) -> None:
        self.plain: list[float] = []
        self.ours: list[float] = []

    @property
    def ratio(self) -> str:
        return ratio(self.ours, self.plain)

    def cells(self) -> tuple[str, str, str]:
        return seconds(self.plain), seconds(self.ours), self.ratio


def _fill(work: Workspace, size_bytes: int) -> int:
    noise = "FROM generate_series(1, 13) m"
    _sql(work, f"CREATE TABLE IF NOT EXISTS ballast AS SELECT {_ROW.format(noise)} FROM generate_series(1, 0) n")
    while (size := int(_sql(work, "SELECT pg_database_size(current_database())"))) < size_bytes:
        say(f"filling the database: {size / 2**20:.0f} MiB")
        _sql(work, f"INSERT INTO ballast SELECT {_ROW.format(noise)} FROM generate_series(1, {_ROWS_AT_ONCE}) n")
    _sql(work, "CREATE INDEX ON ballast (n)")
    return int(_sql(work, "SELECT pg_database_size(current_database())"))


def _create(work: Workspace) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_fairway(work, "create", "--json"))
    backup: dict[str, Any] = document["backup"]
    return backup


def _restore(work: Workspace, identity: str) -> None:
    document = json.loads(_fairway(work, "restore", identity, "--yes", _ENVIRONMENT, "--json"))
    _fairway(work, "drop-old", document["kept"])


def _counted(work: Workspace, backup: dict[str, Any]) -> None:
    rows = int(_sql(work, "SELECT count(*) FROM ballast"))
    if rows != backup["tables"]["public.ballast"]:
        raise AssertionError(f"{rows} rows after the restore, not {backup['tables']['public.ballast']}")


def _flip_and_verify(work: Workspace, backup: dict[str, Any]) -> list[bool]:
    """Flip a bit at places all over the dump, one at a time; return for each whether ``verify`` found it."""
    path = f"{work.deploy_path}/.fairway/backups/{backup['id']}.dump"
    last = int(backup["size_bytes"]) - 1
    caught = []
    for place in [last * part // (_FLIPS - 1) for part in range(_FLIPS)]:
        flip_it = f'python3 -c "{_FLIP}" {path} {place}'
        work.host(_ENVIRONMENT).sh(flip_it)
        found = work.fairway("backup", "verify", _ENVIRONMENT, backup["id"], check=False, timeout_s=_PATIENCE_S)
        caught.append(found.returncode == 1 and "is damaged" in found.stderr)
        work.host(_ENVIRONMENT).sh(flip_it)
    _fairway(work, "verify", str(backup["id"]))
    return caught


def _plain_restore(work: Workspace) -> None:
    _plain(work, "createdb plain")
    _plain(work, "pg_restore --dbname=plain < /tmp/plain.dump")
    _plain(work, "dropdb plain")


def _plain(work: Workspace, script: str) -> str:
    """Run a plain program in the database's container, its files on the host, as an operator would by hand."""
    program, _, rest = script.format(db="capakraken").partition(" ")
    run: Callable[..., str] = work.host(_ENVIRONMENT).sh
    inside = f"docker exec -i -e PGUSER=capakraken {work.project}-postgres-1 {program} {rest}"
    return run(inside, timeout_s=_PATIENCE_S)


def _sql(work: Workspace, statement: str) -> str:
    psql = "psql --no-psqlrc --quiet --no-align --tuples-only --username=capakraken capakraken"
    run = work.host(_ENVIRONMENT).sh
    return run(f'docker exec {work.project}-postgres-1 {psql} --command "{statement}"', timeout_s=_PATIENCE_S)


def _fairway(work: Workspace, command: str, *arguments: str) -> str:
    return work.fairway("backup", command, _ENVIRONMENT, *arguments, timeout_s=_PATIENCE_S).stdout
