"""Ask the application's PostgreSQL what has been applied, and who is still at work in it.

Through the database's own container, so that no password leaves it and no client
is needed on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairway.engine import docker
from fairway.engine.contract.errors import Failed
from fairway.engine.model import session_name
from fairway.engine.process import Completed, run
from fairway.engine.schema.tables import QUERY, Table, parse_tables

_VERSION = "SELECT current_setting('server_version_num');\n"
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = :'session';\n"
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :'session';\n"
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Database:
    """The PostgreSQL in a container of this project."""

    container: str
    env: Mapping[str, str]

    def migrations(self) -> tuple[Table, ...]:
        """Return what migration tools have on record, table by table. Raises ``Failed`` when it does not answer."""
        return parse_tables(self._ask(QUERY))

    def server_version(self) -> int:
        """Return the server's version as a number, ``170002``. Raises ``Failed`` when it does not answer."""
        return int(self._ask(_VERSION)[0])

    def sessions(self, deployment_id: str) -> int:
        """Count the sessions that a deployment's migrator has open."""
        return int(self._ask(_SESSIONS, session=session_name(deployment_id))[0])

    def end_sessions(self, deployment_id: str) -> None:
        """End them; what they had not committed is rolled back by the server."""
        self._ask(_END_SESSIONS, session=session_name(deployment_id))

    def execute(self, script: str, variables: Mapping[str, str], *, timeout_s: float = _PATIENCE_S) -> Completed:
        """Run a psql script that stops at the first error, however it ends; ``:'name'`` in it is a variable."""
        return run(docker.psql(self.container, variables), env=self.env, stdin=script, timeout_s=timeout_s)

    def _ask(self, sql: str, **variables: str) -> list[str]:
        done = self.execute(sql, variables)
        if done.returncode != 0:
            raise Failed(
                "the database does not answer",
                why=done.stderr.strip()[-300:],
                hint=f"docker logs {self.container}, on the host",
            )
        return done.stdout.splitlines()
