"""Derive the truth of the corpus: ask a live PostgreSQL the previous release's queries, before and after."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
from psycopg import sql

from testbed import docker, images
from testbed.waiting import wait_for
from tests.corpus.cases import Case, Truth, common, schema

#: Not possible, or not the same, within a transaction that is taken back afterwards.
_OWN_DATABASE = re.compile(
    r"\b(CONCURRENTLY|VACUUM|BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|ADD\s+VALUE|DATABASE|SEARCH_PATH|CREATE\s+(ROLE|SUBSCRIPTION))\b",
    re.IGNORECASE,
)
_SEQUENCES = "users_id_seq posts_id_seq visits_id_seq invoice_no".split()  # noqa: SIM905 - as in the schema

#: What each query gave: its rows by column, or the error.
Answers = list[tuple[str, object]]


class CannotBeApplied(Exception):
    """The migration of a case does not run at all: the case says nothing."""


@contextmanager
def server() -> Iterator[str]:
    """Run a PostgreSQL in a container, in memory; yield where to connect to."""
    password = secrets.token_hex(8)
    name = f"fairway-verdicts-{secrets.token_hex(4)}"
    docker.docker(
        *("run", "--detach", f"--name={name}", f"--label={docker.LABEL}", f"--label={docker.RUN_LABEL}={name}"),
        *("--tmpfs=/var/lib/postgresql/data", f"--env=POSTGRES_PASSWORD={password}", "--publish=127.0.0.1::5432"),
        *(images.POSTGRES.name, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
    )
    try:
        port = docker.docker("port", name, "5432/tcp").stdout.splitlines()[0].rpartition(":")[2]
        where = f"host=127.0.0.1 port={port} user=postgres password={password}"
        wait_for("PostgreSQL", lambda: _answers(where))
        yield where
    finally:
        docker.docker("rm", "--force", "--volumes", name)


def derive(where: str, cases: Sequence[Case], workers: int = 6) -> dict[str, Truth]:
    """Return the truth of each case by its name. Raises ``CannotBeApplied`` with all that cannot be."""
    with psycopg.connect(f"{where} dbname=postgres", autocommit=True) as admin:
        admin.execute("CREATE DATABASE base")
        with psycopg.connect(f"{where} dbname=base", autocommit=True) as base:
            base.execute(schema().encode())
    with ThreadPoolExecutor(max_workers=workers) as pool:
        shares = [cases[number::workers] for number in range(workers)]
        parts = list(pool.map(lambda share: _derive_share(where, share), shares))
    failed = [line for _, lines in parts for line in lines]
    if failed:
        raise CannotBeApplied("\n".join(failed))
    found = {name: truth for part, _ in parts for name, truth in part.items()}
    return {case.name: found[case.name] for case in cases}


def _derive_share(where: str, cases: Sequence[Case]) -> tuple[dict[str, Truth], list[str]]:
    """Derive the truth of some cases in a database of their own; the lines are of those that do not run."""
    found: dict[str, Truth] = {}
    failed: list[str] = []
    known: dict[str, Answers] = {}
    name = f"work_{secrets.token_hex(4)}"
    with psycopg.connect(f"{where} dbname=postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE base").format(sql.Identifier(name)))
        with psycopg.connect(f"{where} dbname={name}", autocommit=True) as work:
            for case in cases:
                try:
                    found[case.name] = _derive(admin, work, where, case, known)
                except psycopg.Error as error:
                    failed.append(f"{case.name}: {str(error).splitlines()[0]}")
    return found, failed


def _derive(
    admin: psycopg.Connection, work: psycopg.Connection, where: str, case: Case, known: dict[str, Answers]
) -> Truth:
    queries = [*common(), *case.queries]
    if _OWN_DATABASE.search(case.sql) or _OWN_DATABASE.search(case.before):
        name = f"case_{secrets.token_hex(4)}"
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE base").format(sql.Identifier(name)))
        if case.before:
            with psycopg.connect(f"{where} dbname={name}", autocommit=True) as own:
                own.execute(case.before.encode())
        with psycopg.connect(f"{where} dbname={name}", autocommit=True) as own:
            _reset_sequences(own)
            before = _asked(own, queries)
            _reset_sequences(own)
            # One at a time, as psql sends them: CONCURRENTLY must not be in a batch.
            for statement in _statements(case.sql):
                own.execute(statement.encode())
        # Whatever the migration has set in its session, the application's is another.
        with psycopg.connect(f"{where} dbname={name}", autocommit=True) as own:
            if case.next:
                own.execute(case.next.encode())
            after = _asked(own, queries)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    else:
        with work.transaction(force_rollback=True):
            if case.before:
                work.execute(case.before.encode())
            before = known.get(case.before) if not case.queries else None
            if before is None:
                _reset_sequences(work)
                before = _asked(work, queries)
                if not case.queries:
                    known[case.before] = before
            _reset_sequences(work)
            work.execute("SET CONSTRAINTS ALL IMMEDIATE")
            work.execute(case.sql.encode())
            work.execute("RESET ALL")
            if case.next:
                work.execute(case.next.encode())
            after = _asked(work, queries)
    why = next(
        (_difference(query, old, new) for query, old, new in zip(queries, before, after, strict=True) if old != new),
        "",
    )
    return Truth(not why, why, case.digest)


def _statements(text: str) -> list[str]:
    if not re.search("CONCURRENTLY|VACUUM", text, re.IGNORECASE):
        return [text]
    return [part for part in text.split(";") if part.strip()]


def _reset_sequences(connection: psycopg.Connection) -> None:
    """Start the numbers from the same each time: a rollback does not take them back."""
    for sequence in _SEQUENCES:
        connection.execute("SELECT setval(%s, 100)", (sequence,))


def _asked(connection: psycopg.Connection, queries: Iterable[str]) -> Answers:
    """Ask each query as the application does, and take all of it back."""
    answers: Answers = []
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL ROLE app")
        for query in queries:
            answers.append(_try(connection, query))
    return answers


def _try(connection: psycopg.Connection, query: str) -> tuple[str, object]:
    """Ask in one round trip: there are tens of thousands of these."""
    try:
        cursor = connection.execute(f"SAVEPOINT asked; {query.rstrip(';')}; RELEASE SAVEPOINT asked".encode())
    except psycopg.Error as error:
        connection.execute("ROLLBACK TO SAVEPOINT asked; RELEASE SAVEPOINT asked")
        return ("error", error.sqlstate or "")
    cursor.nextset()
    if cursor.description is None:
        return ("changed", cursor.rowcount)
    columns = [(column.name, column.type_display) for column in cursor.description]
    return (
        "rows",
        [sorted((*column, repr(value)) for column, value in zip(columns, row, strict=True)) for row in cursor],
    )


def _difference(query: str, old: tuple[str, object], new: tuple[str, object]) -> str:
    what = f"fails with {new[1]}" if new[0] == "error" else "gives something else"
    if old[0] == "error" and new[0] != "error":
        what = "is not refused any more"
    return f"{query} {what}"


def _answers(where: str) -> bool:
    try:
        with psycopg.connect(f"{where} dbname=postgres", connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False
