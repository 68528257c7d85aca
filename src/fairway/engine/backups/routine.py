"""What is done with backups again and again: tried, copied elsewhere, and all of it by a timer.

Each leaves an entry in the ledger, whatever came of it, from which ``status`` tells.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from fairway.engine import clock, docker
from fairway.engine.backups import timers
from fairway.engine.backups.actions import choose, create_backup
from fairway.engine.backups.checking import Unsound
from fairway.engine.backups.drill import check_only, drill, refuse_locked
from fairway.engine.backups.offsite import Piece, copy_missing, place_of
from fairway.engine.backups.postgres import locate
from fairway.engine.backups.recording import record, unrecorded
from fairway.engine.backups.store import Backup, Reason, Store, backup_id
from fairway.engine.contract.errors import Failed, FairwayError, Invalid, as_error
from fairway.engine.contract.fields import Fields
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.lock import Lock
from fairway.engine.notifications.spawning import spawn_teller

Notice = Callable[[str], None]

#: Who does what nobody asked for.
TIMER = "timer (on the host)"
_MAX_IDENTITY = 32 * 1024
_WAIT_S = 4 * 3600.0


def run_drill(layout: Layout, host: HostConfig, args: Fields, notice: Notice) -> dict[str, Any]:
    """Try a backup, the newest unless another is named."""
    by = args.text("by", max_length=200)
    named = args.parsed("backup", backup_id) if args.has("backup") else None
    identity = args.text("identity", max_length=_MAX_IDENTITY) if args.has("identity") else None
    args.end()
    backup = choose(Store(layout), named)
    if identity is None:
        identity = _key_here(host)
    refuse_locked(backup, identity)
    return try_backup(layout, host, backup, identity, by=by, notice=notice)


def try_backup(
    layout: Layout, host: HostConfig, backup: Backup, identity: str | None, *, by: str, notice: Notice
) -> dict[str, Any]:
    """Have a drill of a backup, and put on the record what it has shown.

    Without the key of an encrypted one its bytes are checked, and no more. Raises what
    the drill failed with, after it is on the record.
    """
    store, env = Store(layout), docker.environment(layout.docker_config)
    begun = clock.monotonic()
    with _alone(layout, "drill", by):
        try:
            database = locate(layout, host)
            if backup.encrypted_to and identity is None:
                shown = check_only(store, backup, database, env, report=notice, check=_never)
            else:
                name = timers.base_name(host, "drill")
                shown = drill(store, backup, database, identity, env, name=name, report=notice, check=_never)
        except (FairwayError, OSError) as error:
            failed = as_error(error, "the backup could not be tried")
            unsound = isinstance(error, Unsound)
            problem = record(layout, by, begun, action="drill", backup=backup.id, unsound=unsound, error=failed)
            raise unrecorded(failed, problem) from None
    problem = record(layout, by, begun, action="drill", backup=backup.id, **shown.as_json())
    return {
        "backup": backup.as_json(),
        **shown.as_json(),
        "seconds": round(clock.monotonic() - begun, 3),
        "problems": [problem] if problem else [],
    }


def run_copy(layout: Layout, host: HostConfig, args: Fields, notice: Notice) -> dict[str, Any]:
    """Copy off the host what has no copy yet."""
    by = args.text("by", max_length=200)
    args.end()
    return copy_backups(layout, host, by=by, notice=notice)


def copy_backups(layout: Layout, host: HostConfig, *, by: str, notice: Notice) -> dict[str, Any]:
    """Copy every backup that has no copy yet, and put on the record how it went. Raises what it failed with."""
    offsite = host.upkeep.offsite
    if offsite is None:
        raise Invalid(
            "there is no place for copies",
            why="backup.offsite is not set in fairway.toml, or was not when this host was prepared",
            hint=f"set it, then: fairway bootstrap {host.environment}",
        )
    store = Store(layout)
    begun = clock.monotonic()
    facts: dict[str, Any] = {"tool": offsite.tool.value, "target": offsite.target}
    with _alone(layout, "copy", by):
        pieces = [Piece(one.id, store.path(one), store.metadata(one.id), one.size_bytes) for one in store.list()]
        try:
            place = place_of(layout, offsite, f"{host.project}-{host.environment}")
            notice(f"copying to {offsite.target} by {offsite.tool.value}")
            made = copy_missing(place, pieces)
        except (FairwayError, OSError) as error:
            failed = as_error(error, "the backups could not be copied")
            raise unrecorded(failed, record(layout, by, begun, action="backup-copy", error=failed, **facts)) from None
    told: dict[str, Any] = {**facts, "copied": list(made.copied), "there": len(made.there)}
    problem = record(layout, by, begun, action="backup-copy", **told)
    return {
        **told,
        "seconds": round(clock.monotonic() - begun, 3),
        "problems": [problem] if problem else [],
    }


def run_scheduled(layout: Layout, host: HostConfig, what: str) -> None:
    """Do what a timer asks for, and have people told of it. Raises as :func:`_run_scheduled` does."""
    try:
        _run_scheduled(layout, host, what)
    finally:
        spawn_teller(layout)


def _run_scheduled(layout: Layout, host: HostConfig, what: str) -> None:
    """Do what a timer asks for. Raises ``Failed`` with everything that went wrong, after all of it was tried.

    One that is told to end, as when the host is shut down or systemd's limit has passed, leaves
    nothing behind: not a drill's PostgreSQL with all the data that it holds.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    problems: list[FairwayError] = []
    if what == "backup":
        _try(
            problems,
            lambda: create_backup(layout, host, by=TIMER, reason=Reason.SCHEDULED, wait_s=_WAIT_S, notice=_say),
        )
        if host.upkeep.offsite is not None:
            _try(problems, lambda: copy_backups(layout, host, by=TIMER, notice=_say))
    elif what == "copy":
        _try(problems, lambda: copy_backups(layout, host, by=TIMER, notice=_say))
    elif what == "drill":
        _try(
            problems,
            lambda: try_backup(layout, host, choose(Store(layout), None), _key_here(host), by=TIMER, notice=_say),
        )
    else:
        raise Invalid(f"nothing called {what[:40]!r} is ever scheduled", why=", ".join(timers.EVER_TIMED))
    if problems:
        raise Failed(f"the scheduled {what} failed", why="\n".join(str(one) for one in problems))


def _key_here(host: HostConfig) -> str | None:
    """Return the key for drills that root keeps on this host, where there is one and it may be read.

    systemd hands it to the timer's service alone; cron's user reads it where root lets it.
    """
    handed = os.environ.get("CREDENTIALS_DIRECTORY")
    for path in ([Path(handed) / timers.CREDENTIAL] if handed else []) + [timers.key_file(host)]:
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
    return None


@contextmanager
def _alone(layout: Layout, purpose: str, by: str) -> Iterator[None]:
    """Be the only drill, or the only copy; a backup or a deployment never waits for either."""
    layout.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = Lock.acquire(layout.backups / f"{purpose}.lock", by=by, purpose=purpose)
    try:
        yield
    finally:
        lock.release()


def _try(problems: list[FairwayError], work: Callable[[], object]) -> None:
    try:
        work()
    except FairwayError as error:
        problems.append(error)


def _never() -> None:
    """Ask nothing: neither a drill nor a copy is in anybody's way."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
