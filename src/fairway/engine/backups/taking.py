"""Take a backup: dumped, read to its end and counted in one moment of the database.

The dump flows from pg_dump past pg_restore, which reads it without writing
anything, into the file or into age; what is encrypted is on no disk before it is.
"""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fairway.engine import clock
from fairway.engine.backups import age, space
from fairway.engine.backups.flow import Program, Report, Sink, program, pump
from fairway.engine.backups.postgres import SESSION, Postgres
from fairway.engine.backups.snapshot import Moment, take_moment
from fairway.engine.backups.store import Backup, Reason, Store
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.process import Check

# A migration by hand may hold a table; a dump that waits for it for ever tells nobody.
_LOCK_WAIT_S = 60
_READ_BYTES = 1024 * 1024
_NO_SPACE = "o space left on device"


@dataclass(frozen=True)
class Order:
    """Which backup is to be taken: of what, for what, for whose eyes."""

    id: str
    tag: Tag | None
    reason: Reason
    recipients: tuple[str, ...]

    @property
    def session(self) -> str:
        """The ``application_name`` of its sessions in the database."""
        return f"{SESSION}-{self.id}"


def take(
    store: Store, postgres: Postgres, order: Order, env: Mapping[str, str], *, report: Report, check: Check
) -> Backup | None:
    """Take one backup and keep it; call with the store's lock held.

    Returns None before a deployment when the database has no tables yet. Raises
    ``Failed``, or what ``check`` raises, and then nothing of it is left, neither a file
    nor a session.
    """
    if order.recipients:
        age.require()
    store.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = store.part(order.id)
    try:
        with take_moment(postgres, order.session, check) as moment:
            if order.reason is Reason.DEPLOY and not moment.facts.tables:
                return None
            space.refuse_full(store.directory, space.expected_bytes(moment.facts.database_bytes, store.list()))
            moment.count()
            streamed = _dump(postgres, order, moment, part, env, report, check)
            tables = moment.counted(check)
        backup = _described(order, moment, part, tables, streamed)
        store.keep(backup)
    except BaseException as error:
        discard(store, postgres, order.id)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise space.full(store.directory) from None
        raise
    return backup


def discard(store: Store, postgres: Postgres | None, identity: str) -> None:
    """Leave nothing of a backup that did not become one: no file, no session that goes on reading."""
    store.part(identity).unlink(missing_ok=True)
    if postgres is not None:
        with suppress(FairwayError):  # a database that is down has no sessions
            postgres.end_sessions(f"{SESSION}-{identity}")


def _dump(
    postgres: Postgres,
    order: Order,
    moment: Moment,
    part: Path,
    env: Mapping[str, str],
    report: Report,
    check: Check,
) -> str | None:
    """Write the dump; return the digest of what went to the file, None when age wrote it."""
    arguments = [
        *("--format=custom", "--compress=1", f"--snapshot={moment.facts.snapshot}"),
        *(f"--lock-wait-timeout={_LOCK_WAIT_S}s", "--no-password"),
    ]
    dumping = postgres.command("pg_dump", arguments, session=order.session)
    reading = postgres.command("pg_restore", ["--file=/dev/null"], session=order.session)
    digest = None if order.recipients else hashlib.sha256()

    def watched() -> None:
        check()
        space.refuse_full(part.parent, 0)

    with _fresh(part) as file, program(reading, stdin=subprocess.PIPE) as reader:
        with _writing(order, file, env) as writer, program(dumping, stdout=subprocess.PIPE) as dump:
            sinks: list[Sink] = [writer.write if isinstance(writer, Program) else _to(writer), reader.write]
            if digest is not None:
                sinks.append(digest.update)
            pump(dump.stdout, sinks, told="dumped", report=report, check=watched)
            _refuse_failed(postgres, "pg_dump", dump)
            if isinstance(writer, Program):
                _refuse_failed(postgres, "age", writer)
        _refuse_failed(postgres, "pg_restore", reader)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest() if digest is not None else None


@contextmanager
def _fresh(part: Path) -> Iterator[IO[bytes]]:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        yield file


@contextmanager
def _writing(order: Order, file: IO[bytes], env: Mapping[str, str]) -> Iterator[IO[bytes] | Program]:
    if not order.recipients:
        yield file
        return
    with program(age.encrypting(order.recipients, env), stdin=subprocess.PIPE, stdout=file) as encrypting:
        yield encrypting


def _to(file: IO[bytes]) -> Sink:
    def write(chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[file.write(view) :]

    return write


def _refuse_failed(postgres: Postgres, name: str, running: Program) -> None:
    code = running.finish()
    if code == 0:
        return
    said = postgres.clean(running.said())
    if _NO_SPACE in said:
        raise OSError(errno.ENOSPC, said)
    what = {
        "pg_dump": "the database could not be dumped",
        "pg_restore": "the dump cannot be read to its end",
        "age": "the dump could not be encrypted",
    }[name]
    raise Failed(
        what,
        why=said or f"{name} ended with {code}, without a word",
        hint="nothing of it is kept; what serves was not touched",
    )


def _described(order: Order, moment: Moment, part: Path, tables: dict[str, int], streamed: str | None) -> Backup:
    found, size_bytes = digest_of(part)
    if streamed is not None and found != "sha256:" + streamed:
        raise Failed(
            "the file does not hold what was written to it",
            why=f"{part} reads back with another digest",
            hint="look at this disk, before anything else is written to it",
        )
    return Backup(
        id=order.id,
        taken_at=clock.now(),
        tag=order.tag,
        database=moment.facts.database,
        server_version=moment.facts.server_version,
        database_bytes=moment.facts.database_bytes,
        size_bytes=size_bytes,
        sha256=found,
        encrypted_to=order.recipients,
        tables=tables,
        reason=order.reason,
    )


def digest_of(path: Path) -> tuple[Digest, int]:
    """Return a file's digest and size, by reading all of it."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_READ_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return Digest("sha256:" + digest.hexdigest()), size
