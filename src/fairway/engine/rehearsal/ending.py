"""End a rehearsal whose engine was lost, or that was broken off."""

from __future__ import annotations

from contextlib import suppress
from typing import Callable

from fairway.engine.backups.postgres import locate
from fairway.engine.contract.errors import FairwayError
from fairway.engine.drivers.containers import Containers
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.lock import holder
from fairway.engine.redact import Redactor
from fairway.engine.rehearsal.filling import session_of
from fairway.engine.rehearsal.removal import lock_of, remove_all, remove_lost


def settle_rehearsals(layout: Layout, host: HostConfig, notice: Callable[[str], None]) -> None:
    """Remove what rehearsals have left whose engine was lost; one that is under way is left alone."""
    if holder(lock_of(layout)) is not None:
        return
    remove_all(layout, Containers(layout, Redactor({})), host.project)
    notice("removed what an interrupted rehearsal of migrations had left")


def end_rehearsal(
    layout: Layout, host: HostConfig, containers: Containers, service: str | None, deployment_id: str
) -> bool:
    """Have nothing of it left, and no session that still reads the database for it; return whether there was."""
    found = remove_lost(layout, containers, deployment_id)
    if found:
        with suppress(FairwayError):  # a database that is down has no sessions
            locate(layout, host, service).end_sessions(session_of(deployment_id))
    return found
