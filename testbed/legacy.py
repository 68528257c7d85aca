"""What an application's past has left behind: secrets that an admin page once wrote into the database."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from testbed.workspace import Workspace


def leave_secrets(work: Workspace, environment: str, secrets: Mapping[str, str]) -> None:
    """Have the table ``SystemSettings`` hold these, as the admin page of old would have. On standard input only."""
    rows = ", ".join(f"({_literal(key)}, {_literal(value)})" for key, value in secrets.items())
    again = "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    change = f'INSERT INTO "SystemSettings" (key, value) VALUES {rows} {again}'
    psql = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--username=capakraken", "capakraken")
    command = shlex.join(["docker", "exec", "--interactive", f"{work.project}-postgres-1", *psql])
    work.host(environment).run(command, stdin=change)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
