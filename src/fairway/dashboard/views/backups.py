"""An environment's backups, and how the last of everything went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fairway.dashboard.asking import Answer
from fairway.dashboard.nonsense import NONSENSE, cannot_be_read
from fairway.dashboard.observing import Sight
from fairway.dashboard.views.history import HistoryLine, line_of
from fairway.observe.attempts import read_time

_ABOUT_BACKUPS = frozenset({"backup", "drill", "backup-copy", "restore", "drop-old"})
_SHOWN = 20
_MOST_BYTES = 2**60


@dataclass(frozen=True)
class BackupRow:
    """A backup on a host; ``rows`` is None when they were not counted."""

    id: str
    taken_at: datetime | None
    tag: str | None
    reason: str
    size_bytes: int
    rows: int | None
    encrypted: bool


@dataclass(frozen=True)
class EnvironmentBackups:
    """What a host has, the newest first, what it warns of, and what was done with backups last.

    ``problem`` is why the host did not say; until ``heard`` its record is not known.
    """

    environment: str
    backups: tuple[BackupRow, ...] = ()
    total_bytes: int = 0
    old_databases: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    drill: HistoryLine | None = None
    copy: HistoryLine | None = None
    done: tuple[HistoryLine, ...] = ()
    problem: dict[str, Any] | None = None
    heard: bool = True


def backups(sight: Sight, answer: Answer) -> EnvironmentBackups:
    """Return how an environment stands with its backups."""
    every = (line_of(sight.environment, one) for one in reversed(sight.entries))
    done = [line for line in every if line.action in _ABOUT_BACKUPS]
    shown = EnvironmentBackups(
        environment=sight.environment,
        drill=next((line for line in done if line.action == "drill"), None),
        copy=next((line for line in done if line.action == "backup-copy"), None),
        done=tuple(done[:_SHOWN]),
        problem=answer.error.as_json() if answer.error else None,
        heard=sight.heard,
    )
    try:
        return _told(shown, sight, answer.value or {})
    except NONSENSE as error:
        return replace(shown, problem=cannot_be_read(error).as_json())


def _told(shown: EnvironmentBackups, sight: Sight, said: Mapping[str, Any]) -> EnvironmentBackups:
    rows = tuple(_row(one) for one in said.get("backups", ()))
    warnings = ((sight.status or {}).get("backups") or {}).get("warnings", ())
    return replace(
        shown,
        backups=rows,
        total_bytes=sum(one.size_bytes for one in rows),
        old_databases=tuple(said.get("old_databases", ())),
        unreadable=tuple(said.get("unreadable", ())),
        warnings=tuple(line.replace("<environment>", sight.environment) for line in warnings),
    )


def _row(one: Mapping[str, Any]) -> BackupRow:
    rows, size_bytes = one.get("rows"), int(one["size_bytes"])
    if not 0 <= size_bytes < _MOST_BYTES:
        raise ValueError("no backup is as large as that")
    return BackupRow(
        id=str(one["id"]),
        taken_at=read_time(str(one["taken_at"])),
        tag=str(one["tag"]) if one.get("tag") else None,
        reason=str(one["reason"]),
        size_bytes=size_bytes,
        rows=rows if isinstance(rows, int) else None,
        encrypted=bool(one.get("encrypted_to")),
    )
