"""One moment of the database, held open while it is dumped and counted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from fairway.engine.backups.flow import Program, program
from fairway.engine.backups.postgres import Postgres, major
from fairway.engine.contract.errors import Failed
from fairway.engine.process import Check

_ANSWER_S = 60.0
# What pg_dump takes along: the tables of every schema but the system's, without those an extension brings itself.
TABLES = """
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND d.deptype = 'e')
"""
#: Each table's rows, a line of JSON for each.
COUNT = f"""
SELECT format('SELECT json_build_array(%L, count(*)) FROM ONLY %I.%I;',
              n.nspname || '.' || c.relname, n.nspname, c.relname)
{TABLES}
 ORDER BY 1 \\gexec
"""  # noqa: S608 (constants)
# Counting waits for a table longer than pg_dump does, which then says why. The session says nothing
# for as long as the dump takes: whatever lies between would forget it, and the server not notice a loss.
_BEGIN = f"""
SET lock_timeout = '90s';
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 6;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT json_build_object('snapshot', pg_export_snapshot(), 'database', current_database(),
                         'server', current_setting('server_version_num')::int, 'client', :VERSION_NUM,
                         'bytes', pg_database_size(current_database()),
                         'tables', (SELECT count(*) {TABLES}));
"""


@dataclass(frozen=True)
class Facts:
    """What the database said when the moment was taken."""

    snapshot: str
    database: str
    server_version: int
    client_version: int
    database_bytes: int
    tables: int


class Moment:
    """A snapshot that other sessions can take part in, for as long as the block lasts."""

    def __init__(self, running: Program, postgres: Postgres, facts: Facts) -> None:
        self._running = running
        self._postgres = postgres
        self.facts = facts

    def count(self) -> None:
        """Have the rows counted meanwhile; :meth:`counted` has them."""
        self._running.write(COUNT.encode())
        self._running.flush()

    def counted(self, check: Check) -> dict[str, int]:
        """Return the rows of each table, ``schema.name``. Raises what ``check`` raises, or ``Failed``."""
        self._running.write(b"COMMIT;\n")
        self._running.close()
        lines = self._running.read_all(check).decode(errors="replace").splitlines()
        if self._running.finish(check) != 0:
            raise Failed("the tables could not be counted", why=self._postgres.clean(self._running.said()))
        return dict(json.loads(line) for line in lines if line)


@contextmanager
def take_moment(postgres: Postgres, session: str, check: Check) -> Iterator[Moment]:
    """Hold the database's state of now.

    Raises ``Failed`` when the database does not answer in time, or is too new, or what ``check`` raises.
    """
    command = postgres.psql(session=session)
    with program(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        running.write(_BEGIN.encode())
        running.flush()
        line = _first_line(running, postgres, check)
        facts = _facts(json.loads(line))
        refuse_newer(facts.server_version, facts.client_version)
        yield Moment(running, postgres, facts)


def _first_line(running: Program, postgres: Postgres, check: Check) -> bytes:
    line, why = b"", f"it has said nothing for {_ANSWER_S:.0f} s"
    with suppress(TimeoutError):
        line = running.read_line(check, timeout_s=_ANSWER_S)
        if line.endswith(b"\n"):
            return line
        running.finish()
        why = postgres.clean(running.said())
    raise Failed(
        "the database does not answer", why=why, hint="see that it is up and healthy: fairway status <environment>"
    )


def _facts(found: dict[str, Any]) -> Facts:
    return Facts(
        snapshot=str(found["snapshot"]),
        database=str(found["database"]),
        server_version=int(found["server"]),
        client_version=int(found["client"]),
        database_bytes=int(found["bytes"]),
        tables=int(found["tables"]),
    )


def refuse_newer(server: int, client: int) -> None:
    """Raise ``Failed`` for a server that is newer than pg_dump: it would refuse, or leave out what it does not know."""
    if major(server) > major(client):
        raise Failed(
            f"the server is PostgreSQL {major(server)}, pg_dump is {major(client)}",
            why="an older pg_dump does not know what a newer server has",
            hint="set backup.client_image in fairway.toml to a newer one, then: fairway bootstrap <environment>",
        )
