"""Where the copy comes from: which backup, or the database itself; and whether there is room for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.engine.backups.store import Backup
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Tag

# A migration may write a table anew beside the old one; PostgreSQL's manual, "ALTER TABLE": "twice the disk space".
_TIMES = 2.0
# Its write-ahead log, and what everything else on this disk is to be left.
_RESERVE_BYTES = 512 * 2**20


def choose(backups: Iterable[Backup], deployment_id: str, serving: Tag | None) -> Backup | None:
    """Return the backup to rehearse on, None where the database itself is to be copied.

    The one that the deployment has just taken; without one, the newest that was taken while the
    release that serves did, since one from before lacks its migrations. The key of an
    encrypted one is not on this host, which is the point of it.
    """
    readable = [one for one in backups if not one.encrypted_to]
    own = [one for one in readable if one.id == deployment_id]
    return next(iter(own or [one for one in readable if serving is not None and one.tag == serving]), None)


def refuse_full(database_bytes: int, free_bytes: int) -> None:
    """Raise ``Failed`` where a copy of this size, and what the migration makes of it, could fill the disk."""
    need = int(database_bytes * _TIMES) + _RESERVE_BYTES
    if free_bytes < need:
        raise Failed(
            "there is no room for the rehearsal",
            why=f"the database takes {_mib(database_bytes)}, a copy of it and what a migration writes anew up to"
            f" {_mib(need)}, and {_mib(free_bytes)} are free where Docker keeps its volumes",
            hint="free some space there; without a rehearsal: environments.<name>.rehearse in fairway.toml,"
            " then fairway bootstrap <environment>",
        )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.0f} MiB"
