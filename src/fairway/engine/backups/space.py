"""Is there room for a dump, or to restore one: judged before it is begun, and watched while it grows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fairway.engine.backups.store import Backup
from fairway.engine.contract.errors import Failed

_MIB = 2**20
_RESERVE_BYTES = 256 * _MIB
# On a small disk: what a journal, a ledger and a release still need.
_RESERVE_PART = 20
# Of a database that was never dumped here: its indexes are not dumped, and the rest is compressed.
_FIRST_PART = 3
# Beside the tables and indexes themselves: a server's write-ahead log, and what it sorts for an index.
_RESTORE_BYTES = 1024 * _MIB
# Of that, what is never touched: more than is written between two looks.
_RESTORE_FLOOR_BYTES = 512 * _MIB


def expected_bytes(database_bytes: int, before: Sequence[Backup]) -> int:
    """Estimate a dump's size, from the newest backup of the same database where there is one."""
    known = next((one for one in before if one.database_bytes and one.size_bytes), None)
    if known is None:
        return database_bytes // _FIRST_PART
    return int(database_bytes * min(known.size_bytes / known.database_bytes, 1.0) * 1.25)


def reserve_bytes(disk_bytes: int) -> int:
    """Return what stays free for everything else."""
    return min(_RESERVE_BYTES, disk_bytes // _RESERVE_PART)


def refuse_full(directory: Path, expected: int) -> None:
    """Raise ``Failed`` when a dump of this size would leave too little free, before anything is written."""
    figures = os.statvfs(directory)
    free = figures.f_bavail * figures.f_frsize
    reserve = reserve_bytes(figures.f_blocks * figures.f_frsize)
    if free < expected + reserve:
        raise Failed(
            f"there is no room for a backup in {directory}",
            why=f"about {_mib(expected)} are needed and {_mib(reserve)} stay free for the rest; {_mib(free)} are free",
            hint="free some space, or keep fewer: fairway backup prune <environment> --plan",
        )


def full(directory: Path) -> Failed:
    """Return the error of a disk that filled up under a dump."""
    return Failed(
        f"the disk filled up while the backup was written to {directory}",
        why="what was written of it is removed",
        hint="free some space, or keep fewer: fairway backup prune <environment> --plan",
    )


def restored_bytes(database_bytes: int, margin: float) -> int:
    """Return what has to be free to restore a database: itself ``margin`` times, and its log and sorting beside it."""
    return int(database_bytes * margin) + _RESTORE_BYTES


def refuse_filling(free_bytes: int) -> None:
    """Raise ``Failed`` when a restore that is under way leaves too little of the disk."""
    if free_bytes < _RESTORE_FLOOR_BYTES:
        raise Failed(
            "it was ended before it filled the disk",
            why=f"{_mib(free_bytes)} are left where the server keeps its data, {_mib(_RESTORE_FLOOR_BYTES)} stay free",
            hint="free some space there; what was loaded is removed again, and what serves is as it was",
        )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / _MIB:.0f} MiB"
