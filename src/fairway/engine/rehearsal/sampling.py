"""Look at a migrator's locks in the copy of the database, many times a second, while it is at work."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Callable

from fairway.engine import clock
from fairway.engine.backups.flow import Program, program
from fairway.engine.backups.postgres import InContainer
from fairway.engine.contract.errors import FairwayError
from fairway.engine.rehearsal.locks import Sample, add
from fairway.engine.schema.tables import QUERY, Table, parse_tables

Applied = Callable[[Sequence[Table]], "tuple[str, ...]"]

#: Finer than this nothing is seen.
INTERVAL_S = 0.05
# Reading a tool's whole record is more than a look at the locks.
_LOOKS_PER_RECORD = 4
_PATIENCE_S = 5.0
_SESSION = "fairway-rehearsal-watch"
_END = "--"

# The tables as they were before: what the migration itself makes, nobody waits for.
_BEFORE = r"""
\set ON_ERROR_STOP 0
SET lock_timeout = '50ms';
CREATE TEMP TABLE fairway_before AS
SELECT c.oid, CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
   AND c.relname NOT IN ('alembic_version', '_prisma_migrations', 'django_migrations', 'flyway_schema_history',
                         'schema_migrations', 'goose_db_version', 'gorp_migrations');
"""
# Whoever is not one of the others is the migrator: not every client says its name. Ours come by the local socket.
QUESTION = """
WITH clients AS (
    SELECT pid, client_addr = ANY (string_to_array(:'others', ',')::inet[]) AS is_app
      FROM pg_stat_activity WHERE client_addr IS NOT NULL AND datname = current_database()
)
SELECT json_build_object(
    'sessions', (SELECT count(*) FROM clients WHERE NOT is_app),
    'locks', coalesce((
        SELECT json_agg(json_build_array(l.pid, t.name, l.mode, l.granted,
               NOT l.granted AND EXISTS (SELECT FROM clients b
                                          WHERE b.is_app AND b.pid = ANY (pg_blocking_pids(l.pid)))))
          FROM pg_locks l JOIN clients c ON c.pid = l.pid AND NOT c.is_app
          JOIN pg_temp.fairway_before t ON t.oid = l.relation
         WHERE l.locktype = 'relation'
           AND (NOT l.granted
                OR l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
    ), '[]'::json));
"""


@contextmanager
def sampled(postgres: InContainer, database: str, others: Sequence[str], applied: Applied) -> Iterator[list[Sample]]:
    """Have samples collected while the block lasts; ``others`` are the addresses of all clients but the migrator.

    ``applied`` says which migrations are on record in a tool's tables.
    They are for the report only: where the copy cannot be asked any more, there are no more of them.
    """
    samples: list[Sample] = []
    ended = threading.Event()
    command = postgres.psql(database=database, session=_SESSION, variables={"others": ",".join(others)})
    with program(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        begun = _ask(running, _BEFORE) is not None
        watcher = threading.Thread(target=_watch, args=(running, samples, ended, applied), daemon=True)
        if begun:
            watcher.start()
        try:
            yield samples
        finally:
            ended.set()
            if begun:
                watcher.join(_PATIENCE_S)


def _watch(running: Program, samples: list[Sample], ended: threading.Event, applied: Applied) -> None:
    looks = 0
    while True:
        last = ended.is_set()
        with_record = looks % _LOOKS_PER_RECORD == 0 or last
        lines = _ask(running, QUESTION + (QUERY if with_record else ""))
        if lines is None:
            return
        if lines:
            names = _names(lines[1:], applied) if with_record else None
            add(samples, Sample.parse(clock.monotonic(), lines[0], names), last=last)
        if last:
            return
        looks += 1
        ended.wait(INTERVAL_S)


def _names(lines: Sequence[str], applied: Applied) -> tuple[str, ...] | None:
    try:
        return applied(parse_tables(lines))
    except FairwayError:
        return None


def _ask(running: Program, sql: str) -> list[str] | None:
    """Return the lines of an answer, None when nobody answers any more."""
    running.write(f"{sql}SELECT '{_END}';\n".encode())
    running.flush()
    lines: list[str] = []
    while line := running.stdout.readline():
        text = line.decode(errors="replace").rstrip("\n")
        if text == _END:
            return lines
        lines.append(text)
    return None
