"""Check a backup: every byte by its digest, and the whole of it by PostgreSQL's own reader."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

from fairway.engine.backups import age
from fairway.engine.backups.flow import Program, Report, Sink, program, pump
from fairway.engine.backups.postgres import Command, Postgres, major
from fairway.engine.backups.store import Backup, Store
from fairway.engine.backups.taking import digest_of
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.process import Check

# "unsupported version (1.16) in file header"
_TOO_NEW = "unsupported version ("
_NO_MEMORY = "out of memory"


class Unsound(Failed):
    """The backup itself is at fault, and not the host that it was tried on."""


def verify(
    store: Store,
    backup: Backup,
    postgres: Postgres,
    identity: str | None,
    env: Mapping[str, str],
    *,
    report: Report,
    check: Check,
) -> bool:
    """Check every byte of a backup; return whether the dump in it was read to its end, too.

    Without an identity an encrypted one is checked by its digest and its header alone.
    Raises ``Unsound`` for one that is damaged, ``Failed`` where that cannot be told.
    """
    refuse_altered(store, backup)
    if backup.encrypted_to and identity is None:
        with _file(store, backup) as file:
            if file.read(len(age.HEADER)) != age.HEADER:
                raise damaged(backup, "it does not begin as what age has encrypted")
        return False
    refuse_unreadable(store, backup, postgres, identity, env, report=report, check=check)
    return True


def refuse_unreadable(
    store: Store,
    backup: Backup,
    postgres: Postgres,
    identity: str | None,
    env: Mapping[str, str],
    *,
    report: Report,
    check: Check,
) -> None:
    """Have pg_restore read a backup to its end, without a database.

    Raises ``Unsound`` when it cannot make anything of what it read, and ``Failed`` where it
    could not be asked, or is older than the pg_dump that wrote it.
    """
    reading = postgres.command("pg_restore", ["--file=/dev/null"])
    code, said = send(store, backup, reading, identity, env, report=report, check=check)
    if code == 0:
        return
    why = postgres.clean(said) or f"pg_restore ended with {code}, without a word"
    if _TOO_NEW in said:
        raise Failed(
            f"the backup {backup.id} is of a newer pg_dump than the pg_restore here",
            why=why,
            hint="set backup.client_image in fairway.toml to a newer one, then: fairway bootstrap <environment>",
        )
    # Docker's own words, a kill, and a client that is not there say nothing of the backup.
    own_words = any(line.startswith("pg_restore: ") for line in said.splitlines())
    if code == 1 and own_words and _NO_MEMORY not in said:
        raise damaged(backup, why)
    raise Failed(f"the backup {backup.id} could not be read to its end", why=why, hint="try again; it may be whole")


def refuse_altered(store: Store, backup: Backup) -> None:
    """Raise ``Unsound`` unless the file is, byte for byte, what was written."""
    try:
        digest, size_bytes = digest_of(store.path(backup))
    except FileNotFoundError:
        raise _gone(store, backup) from None
    if size_bytes != backup.size_bytes:
        raise damaged(backup, f"it has {size_bytes} bytes, and had {backup.size_bytes}")
    if digest != backup.sha256:
        raise damaged(backup, f"it has the digest {digest.short}, and had {backup.sha256.short}")


def send(
    store: Store,
    backup: Backup,
    to: Command,
    identity: str | None,
    env: Mapping[str, str],
    *,
    report: Report,
    check: Check,
) -> tuple[int, str]:
    """Send a dump, decrypted where it is encrypted, to a program; return its exit code and what it said.

    Raises ``Unsound`` when the bytes were not those of the backup.
    """
    seen = hashlib.sha256()
    with program(to, stdin=subprocess.PIPE) as reader:
        with _opened(store, backup, identity, env) as (source, decrypting):
            sinks: Sequence[Sink] = [reader.write] if decrypting else [reader.write, seen.update]
            pump(source, sinks, told="read", report=report, check=check)
            if decrypting is not None and decrypting.finish() != 0:
                raise age.not_decrypted(decrypting.said())
        code, said = reader.finish(check), reader.said()
    if not backup.encrypted_to and "sha256:" + seen.hexdigest() != backup.sha256:
        raise damaged(backup, "it changed while it was read")
    return code, said


@contextmanager
def _opened(
    store: Store, backup: Backup, identity: str | None, env: Mapping[str, str]
) -> Iterator[tuple[IO[bytes], Program | None]]:
    with _file(store, backup) as file:
        if not backup.encrypted_to:
            yield file, None
            return
        if identity is None:
            raise Invalid(
                "this backup is encrypted",
                why="its secret key is not on this host",
                hint="give it on standard input: --identity < key.txt",
            )
        with age.decrypting(identity, file.fileno(), subprocess.PIPE, env) as decrypting:
            yield decrypting.stdout, decrypting


@contextmanager
def _file(store: Store, backup: Backup) -> Iterator[IO[bytes]]:
    try:
        file = store.path(backup).open("rb", buffering=0)
    except FileNotFoundError:
        raise _gone(store, backup) from None
    with file:
        yield file


def _gone(store: Store, backup: Backup) -> Failed:
    if store.metadata(backup.id).exists():
        return damaged(backup, f"{store.path(backup)} is gone")
    # Who checks a backup holds nothing up: the retention may take it meanwhile.
    return Failed(
        f"the backup {backup.id} was removed meanwhile",
        why="the retention no longer keeps it",
        hint="take another: fairway backup list <environment>",
    )


def damaged(backup: Backup, why: str) -> Unsound:
    """Return the error of a backup that is not what it was."""
    return Unsound(
        f"the backup {backup.id} is damaged", why=why, hint="take another: fairway backup list <environment>"
    )


def refuse_newer_dump(backup: Backup, server_version: int) -> None:
    """Raise ``Failed`` for a dump of a newer server than the one it is to be restored into."""
    if major(backup.server_version) > major(server_version):
        raise Failed(
            f"the backup is of PostgreSQL {major(backup.server_version)}, this server is {major(server_version)}",
            why="an older server cannot take what a newer one has dumped",
            hint="restore it into a server of that version or newer",
        )
