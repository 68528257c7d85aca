"""The drill: a backup is worth what a restore of it gives, so one is made, beside everything that serves.

Into a PostgreSQL of its own that is gone afterwards; then every table's rows are
counted and held against those that were counted in the dump's own snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairway.engine import clock
from fairway.engine.backups.checking import (
    Unsound,
    refuse_altered,
    refuse_newer_dump,
    refuse_unreadable,
    send,
    verify,
)
from fairway.engine.backups.flow import Report
from fairway.engine.backups.gauge import watched
from fairway.engine.backups.postgres import Postgres
from fairway.engine.backups.scratch import image_for, scratch
from fairway.engine.backups.snapshot import COUNT
from fairway.engine.backups.space import restored_bytes
from fairway.engine.backups.store import Backup, Store
from fairway.engine.contract.errors import Failed, Refused
from fairway.engine.process import Check

_DATABASE = "drill"
_COUNT_S = 6 * 3600.0
_SHOWN = 5
_MARGIN = 1.5


@dataclass(frozen=True)
class Drilled:
    """What a drill has shown; ``took`` are seconds by what they were spent on.

    ``restored`` is False for an encrypted backup whose key was not at hand: it was
    then only compared with its digest. ``counted`` is False for one whose rows were not
    counted when it was taken.
    """

    restored: bool
    counted: bool
    tables: int
    rows: int
    took: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {**self.__dict__, "took": dict(self.took)}


def refuse_locked(backup: Backup, identity: str | None) -> None:
    """Raise ``Refused`` for an encrypted backup without a key to open it."""
    if backup.encrypted_to and identity is None:
        raise Refused(
            f"the backup {backup.id} is encrypted, and no key was given to open it",
            why="its secret key is not on this host, which is the point of it",
            hint="fairway backup drill <environment> --identity < key.txt; the key is used once and not stored",
        )


def check_only(
    store: Store, backup: Backup, database: Postgres, env: Mapping[str, str], *, report: Report, check: Check
) -> Drilled:
    """Compare an encrypted backup with its digest and look at its header: all that can be done without its key."""
    begun = clock.monotonic()
    verify(store, backup, database, None, env, report=report, check=check)
    return Drilled(False, False, 0, 0, {"check": _since(begun)})


def drill(
    store: Store,
    backup: Backup,
    database: Postgres,
    identity: str | None,
    env: Mapping[str, str],
    *,
    name: str,
    report: Report,
    check: Check,
) -> Drilled:
    """Restore a backup into a PostgreSQL called ``name`` that is removed afterwards, and count it.

    Raises ``Refused`` without the key of an encrypted one, ``Unsound`` for one that is
    damaged, cannot be read, or gives other rows than it was taken from, and ``Failed`` where
    it could not be tried, or was ended before it filled the disk.
    """
    refuse_locked(backup, identity)
    took: dict[str, float] = {}
    begun = clock.monotonic()
    refuse_altered(store, backup)
    took["check"], begun = _since(begun), clock.monotonic()
    report("its bytes are those that were written; starting a PostgreSQL for it")
    with scratch(name, image_for(database), env) as trial:
        refuse_newer_dump(backup, int(trial.ask("SHOW server_version_num;\n", database=_DATABASE)[0]))
        refuse_full(backup, trial.free_bytes())
        took["start"], begun = _since(begun), clock.monotonic()
        arguments = ["--exit-on-error", "--no-owner", "--no-privileges", f"--dbname={_DATABASE}"]
        command = trial.command("pg_restore", arguments, database=_DATABASE)
        with watched(trial, check) as watching:
            code, said = send(store, backup, command, identity, env, report=report, check=watching)
        if code != 0:
            refuse_unreadable(store, backup, trial, identity, env, report=report, check=check)
            raise Failed(
                f"the backup {backup.id} could not be restored here",
                why=trial.clean(said) or f"pg_restore ended with {code}",
                hint="its bytes are right and can be read: look at what is said, and try it again",
            )
        took["restore"], begun = _since(begun), clock.monotonic()
        report("restored; counting")
        lines = trial.ask(COUNT, database=_DATABASE, timeout_s=_COUNT_S)
        took["count"] = _since(begun)
    found = dict(json.loads(line) for line in lines if line)
    if backup.tables is not None:
        refuse_other_rows(backup.id, backup.tables, found)
    return Drilled(True, backup.tables is not None, len(found), sum(found.values()), took)


def refuse_full(backup: Backup, free_bytes: int | None) -> None:
    """Raise ``Failed`` where the restored database would fill the disk that the one in use may lie on, too."""
    needed = restored_bytes(backup.database_bytes, _MARGIN)
    if free_bytes is not None and free_bytes < needed:
        raise Failed(
            "there is no room for the drill",
            why=f"the database takes {backup.database_bytes / 2**20:.0f} MiB, with what it needs beside that"
            f" {needed / 2**20:.0f} MiB, and {free_bytes / 2**20:.0f} MiB are free where Docker keeps its volumes",
            hint="free some space there; nothing was restored",
        )


def refuse_other_rows(identity: str, expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Raise ``Unsound`` naming the tables whose rows are not those of the dump's snapshot."""
    differing = [
        f"{table}: {_rows(found.get(table))}, not {_rows(expected.get(table))}"
        for table in sorted({*expected, *found})
        if expected.get(table) != found.get(table)
    ]
    if differing:
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise Unsound(
            f"the backup {identity} restores to something else than it was taken from",
            why="; ".join(differing[:_SHOWN]) + more,
            hint="take a new one and try that: fairway backup create <environment>",
        )


def _rows(count: int | None) -> str:
    return "no such table" if count is None else f"{count} rows"


def _since(begun: float) -> float:
    return round(clock.monotonic() - begun, 3)
