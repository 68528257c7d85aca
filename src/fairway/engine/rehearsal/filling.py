"""Make the copy what the database is: its roles, its settings, its owners, and its rows.

With its owners and roles, because a migration that the real migrator may not run is found
here as well. What a role logs in with comes along as the server keeps it, so that the
application's own password is good for the copy; it goes from one program to the next and is
in no argument, file or log.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from fairway.engine.backups.checking import refuse_altered, send
from fairway.engine.backups.flow import Report, program, pump
from fairway.engine.backups.postgres import SESSION, Beside, Command, InContainer, Postgres
from fairway.engine.backups.restoring import CREATE, DRESS
from fairway.engine.backups.snapshot import TABLES
from fairway.engine.backups.store import Backup, Store
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.process import Check, Completed, run

_PATIENCE_S = 120.0
_LOAD_PATIENCE_S = 12 * 3600.0
# A setting that only some may see is not among theirs.
_ABOUT = f"""
SELECT current_database(); SELECT pg_database_size(current_database());
SELECT count(*) {TABLES};
SELECT coalesce((SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries'), '');
"""  # noqa: S608 (constants)
# Nothing of a copy that is being filled is worth the wait for the disk.
_HURRY = """
ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET synchronous_commit = off; ALTER SYSTEM SET full_page_writes = off;
ALTER SYSTEM SET autovacuum = off; SELECT pg_reload_conf();
"""
# But the migration is to meet a server that works as the real one does.
_AS_USUAL = "ALTER SYSTEM RESET ALL; SELECT pg_reload_conf(); CHECKPOINT;\n"
_PLAIN = """
CREATE DATABASE :"new" WITH TEMPLATE template0 OWNER :"owner" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
"""
_LOGIN = """\\set password `printf %s "$FAIRWAY_PASSWORD"`
ALTER ROLE :"role" LOGIN PASSWORD :'password';
"""


@dataclass(frozen=True)
class About:
    """What is known of the database in use. ``preloaded`` are libraries without which it cannot be restored."""

    name: str
    size_bytes: int
    tables: int
    preloaded: str


def about(postgres: Postgres) -> About:
    """Ask the database in use about itself."""
    name, size_bytes, tables, preloaded = postgres.ask(_ABOUT)
    return About(name, int(size_bytes), int(tables), preloaded)


def fill(
    real: Postgres,
    trial: InContainer,
    database: str,
    backup: Backup | None,
    store: Store,
    env: Mapping[str, str],
    *,
    session: str,
    report: Report,
    check: Check,
) -> tuple[str, ...]:
    """Fill the copy from a backup, or from the database itself where that is None; return what is to be noted."""
    maintenance = "template1" if database == "postgres" else "postgres"
    trial.ask(_HURRY, database=maintenance)
    _take_roles(real, trial, maintenance)
    check()
    notes = _create(real, trial, database, maintenance)
    report(f"restoring the backup {backup.id}" if backup is not None else "copying the database")
    loading = trial.command(
        "pg_restore", ["--exit-on-error", "--no-tablespaces", f"--dbname={database}"], database=database
    )
    if backup is not None:
        refuse_altered(store, backup)
        code, said = send(store, backup, loading, None, env, report=report, check=check)
    else:
        try:
            code, said = _copy(real, loading, session, report, check)
        except BaseException:
            # The server reads on for a dump that nobody takes any more.
            with suppress(FairwayError):
                real.end_sessions(session)
            raise
    if code != 0:
        raise Failed(
            "the rehearsal has no copy of the database",
            why=trial.clean(said) or f"pg_restore ended with {code}",
            hint="an extension that the image lacks, or a full disk: the line above says which; nothing was touched",
        )
    check()
    trial.ask("ANALYZE;\n", database=database, timeout_s=_LOAD_PATIENCE_S)
    trial.ask(_AS_USUAL, database=database, timeout_s=_LOAD_PATIENCE_S)
    return notes


def _take_roles(real: Postgres, trial: InContainer, maintenance: str) -> None:
    """Make the roles; where only a superuser may read what they log in with, give our own role its password."""
    name = [f"--database={real.connection['PGDATABASE']}"] if isinstance(real, Beside) else []
    done = _run(real.command("pg_dumpall", ["--roles-only", "--no-password", *name]))
    knows = done.returncode == 0
    if not knows:
        done = _run(real.command("pg_dumpall", ["--roles-only", "--no-role-passwords", "--no-password", *name]))
    if done.returncode != 0:
        raise Failed("the roles of the database cannot be read", why=real.clean(done.stderr))
    # One that every server has is there already; of one with a setting that this server does not know the rest counts.
    lenient = trial.psql(database=maintenance)
    _run(lenient, stdin="\\set ON_ERROR_STOP 0\n" + done.stdout)
    if not knows and isinstance(real, Beside):
        _give_password(trial, maintenance, real.connection)


def _give_password(trial: InContainer, maintenance: str, connection: Mapping[str, str]) -> None:
    command = trial.psql(database=maintenance, variables={"role": connection["PGUSER"]})
    argv = [*command.argv[:2], "--env", "FAIRWAY_PASSWORD", *command.argv[2:]]
    done = _run(Command(argv, {**command.env, "FAIRWAY_PASSWORD": connection.get("PGPASSWORD", "")}), stdin=_LOGIN)
    if done.returncode != 0:
        raise Failed("the application cannot log in to the copy of the database", why=_without(done.stderr, connection))


def _without(said: str, connection: Mapping[str, str]) -> str:
    password = connection.get("PGPASSWORD", "")
    return (said.replace(password, "[redacted]") if password else said).strip()[-300:]


def _create(real: Postgres, trial: InContainer, database: str, maintenance: str) -> tuple[str, ...]:
    """Make the database as the real one was made; where its sort order is not to be had, with another, and say so."""
    names = {"database": database, "new": database}
    (create,) = real.ask(_told(CREATE), names)
    dress = real.ask(_told(DRESS), names)
    trial.ask('DROP DATABASE IF EXISTS :"new";\n', names, database=maintenance)
    notes: tuple[str, ...] = ()
    try:
        trial.ask(f"{create};\n", database=maintenance)
    except Failed as error:
        (owner,) = real.ask("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = :'database';\n", names)
        trial.ask(_PLAIN, {**names, "owner": owner}, database=maintenance)
        notes = (f"the copy sorts otherwise than the database: {error.why}",)
    trial.ask("".join(f"{line};\n" for line in dress), database=maintenance)
    return notes


def _told(script: str) -> str:
    """Have a script tell its statements in place of carrying them out."""
    return script.replace("\\gexec", ";")


def _copy(real: Postgres, loading: Command, session: str, report: Report, check: Check) -> tuple[int, str]:
    dumping = real.command("pg_dump", ["--format=custom", "--compress=0", "--no-password"], session=session)
    with program(loading, stdin=subprocess.PIPE) as reader:
        with program(dumping, stdout=subprocess.PIPE) as dump:
            pump(dump.stdout, [reader.write], told="copied", report=report, check=check)
            if dump.finish() != 0:
                raise Failed("the database could not be copied for the rehearsal", why=real.clean(dump.said()))
        return reader.finish(), reader.said()


def _run(command: Command, *, stdin: str = "") -> Completed:
    return run(command.argv, env=command.env, stdin=stdin, timeout_s=_PATIENCE_S)


def session_of(deployment_id: str) -> str:
    """Return the ``application_name`` of a dump that a rehearsal takes, by which it is found and ended."""
    return f"{SESSION}-{deployment_id}"
