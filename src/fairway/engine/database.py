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

# The tables of the migration tools that keep their record in the database; one call for all of them.
_APPLIED = """\
SELECT to_regclass('alembic_version') IS NOT NULL AS alembic,
       to_regclass('_prisma_migrations') IS NOT NULL AS prisma,
       to_regclass('django_migrations') IS NOT NULL AS django \\gset
\\if :alembic
SELECT 'alembic ' || version_num FROM alembic_version ORDER BY 1;
\\endif
\\if :prisma
SELECT 'prisma ' || migration_name FROM _prisma_migrations
 WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY started_at;
\\endif
\\if :django
SELECT 'django ' || app || '.' || name FROM django_migrations ORDER BY id;
\\endif
"""
_VERSION = "SELECT current_setting('server_version_num');\n"
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = :'session';\n"
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :'session';\n"
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Database:
    """The PostgreSQL in a container of this project."""

    container: str
    env: Mapping[str, str]

    def applied(self) -> tuple[str, ...]:
        """Return what migration tools have on record as applied, in their order: ``alembic 0006``.

        Alembic keeps only its heads; Prisma and Django every migration. Raises
        ``Failed`` when the database does not answer.
        """
        return tuple(self._ask(_APPLIED))

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
