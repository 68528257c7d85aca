"""What a client may ask of the backups: each asked, done within its locks, and put on the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Callable

from fairway.engine import clock, docker
from fairway.engine.accept import settle
from fairway.engine.backups.checking import verify as check_backup
from fairway.engine.backups.postgres import SESSION, locate
from fairway.engine.backups.recording import append, record, unrecorded
from fairway.engine.backups.restoring import Restore
from fairway.engine.backups.retaining import decide
from fairway.engine.backups.store import Backup, Reason, Store, backup_id
from fairway.engine.backups.taking import Order, take
from fairway.engine.contract.errors import FairwayError, Invalid, Locked, Refused, as_error
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.protocol import Outcome
from fairway.engine.gate.hold import refuse_held
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.lock import HOUSEKEEPING, Lock, deploying
from fairway.engine.state import read_state

Notice = Callable[[str], None]


def create(layout: Layout, host: HostConfig, args: Fields, notice: Notice) -> dict[str, Any]:
    """Take a backup, asked for by somebody or by a timer (``reason``)."""
    by = args.text("by", max_length=200)
    wait_s = args.number("wait_s", maximum=86400) if args.has("wait_s") else 0.0
    reason = args.one_of("reason", Reason) if args.has("reason") else Reason.MANUAL
    args.end()
    done = create_backup(layout, host, by=by, reason=reason, wait_s=wait_s, notice=notice)
    if host.upkeep.offsite is not None:
        from fairway.engine.backups.routine import copy_backups  # it rests on this module

        try:
            copy_backups(layout, host, by=by, notice=notice)
        except FairwayError as error:
            # The backup is there all the same; status says what it lacks.
            done["problems"].append(f"it has no copy off the host: {error.what}: {error.why}")
    return done


def create_backup(
    layout: Layout, host: HostConfig, *, by: str, reason: Reason, wait_s: float, notice: Notice
) -> dict[str, Any]:
    """Take a backup beside whatever serves, remove what is beyond the retention, and put both on the record.

    Only for its entry does it hold the host's lock: a rollback never waits for a dump.
    Raises ``Locked`` while a deployment is at work, whose migrations a dump would stand in
    the way of.
    """
    store = Store(layout)
    begun = clock.monotonic()
    identity = new_id()
    facts: dict[str, Any] = {"action": "backup", "backup": identity, "reason": reason.value}
    backup: Backup | None = None
    gone: list[str] = []
    failed: FairwayError | None = None
    with _between_deployments(layout, store, by, wait_s, notice):
        try:
            backup = _take(layout, host, store, identity, reason, notice)
            gone = _prune(layout, host, store)
        except (FairwayError, OSError) as error:
            failed = as_error(error, "the backup could not be taken" if backup is None else "no backup was removed")
    # The store is free again: a deployment that waits for it holds the lock that this needs.
    if backup is None:
        assert failed is not None
        raise unrecorded(failed, record(layout, by, begun, error=failed, **facts))
    facts.update(sha256=backup.sha256, size_bytes=backup.size_bytes, encrypted=bool(backup.encrypted_to), pruned=gone)
    problem = record(layout, by, begun, **facts)
    return {
        "backup": backup.as_json(),
        "pruned": gone,
        "seconds": round(clock.monotonic() - begun, 3),
        "problems": [*([problem] if problem else []), *([f"{failed.what}: {failed.why}"] if failed else [])],
    }


def _take(layout: Layout, host: HostConfig, store: Store, identity: str, reason: Reason, notice: Notice) -> Backup:
    store.sweep()
    active = read_state(layout.state).active
    order = Order(identity, active.tag if active else None, reason, host.backups.recipients)
    postgres = locate(layout, host)
    postgres.end_sessions(f"{SESSION}-2")  # of those that were lost; every id begins so
    backup = take(store, postgres, order, _env(layout), report=notice, check=lambda: None)
    assert backup is not None
    return backup


def show(layout: Layout, host: HostConfig, args: Fields) -> dict[str, Any]:
    """List the backups, and the databases that restores have put aside where the database can be asked."""
    args.text("by", max_length=200)
    args.end()
    store = Store(layout)
    try:
        kept = _restore(layout, host, lambda line: None).kept()
    except FairwayError:
        kept = ()
    return {
        "backups": [{**backup.as_row(), "file": str(store.path(backup))} for backup in store.list()],
        "unreadable": list(store.unreadable()),
        "old_databases": list(kept),
        "keep": host.backups.keep,
    }


def verify(layout: Layout, host: HostConfig, args: Fields, notice: Notice) -> dict[str, Any]:
    """Check a backup, the newest unless another is named."""
    args.text("by", max_length=200)
    named = args.parsed("backup", backup_id) if args.has("backup") else None
    identity = _take_identity(args)
    args.end()
    store = Store(layout)
    backup = choose(store, named)
    postgres = locate(layout, host)
    read = check_backup(store, backup, postgres, identity, _env(layout), report=notice, check=lambda: None)
    return {"backup": backup.as_json(), "read": read}


def restore(layout: Layout, host: HostConfig, args: Fields, notice: Notice) -> dict[str, Any]:
    """Put a backup in the place of the database in use."""
    by = args.text("by", max_length=200)
    named = args.parsed("backup", backup_id) if args.has("backup") else None
    environment = args.text("confirmed", max_length=64)
    wait_s = args.number("wait_s", maximum=86400) if args.has("wait_s") else 0.0
    identity = _take_identity(args)
    args.end()
    if environment != host.environment:
        raise Refused(f"this host is {host.environment}, not {environment}: nothing was done")
    refuse_held(layout, host.environment)
    store = Store(layout)
    begun = clock.monotonic()
    lock = Lock.acquire(layout.lock, by=by, purpose="restore", wait_s=wait_s, notice=notice)
    try:
        settle(layout, host, notice)
        with store.locked(by=by, purpose="restore", wait_s=wait_s, notice=notice):
            backup = choose(store, named)
            entry: dict[str, Any] = {"action": "restore", "by": by, "backup": backup.id}
            try:
                names = _restore(layout, host, notice).run(backup, identity, by=by, now=new_id())
            except (FairwayError, OSError) as error:
                failed = as_error(error, f"the backup {backup.id} could not be restored")
                append(layout, begun, **entry, outcome=Outcome.FAILED.value, error=failed.as_json())
                raise failed from None
            append(layout, begun, **entry, outcome=Outcome.SUCCEEDED.value, database=names.database, kept=names.old)
    finally:
        lock.release()
    active = read_state(layout.state).active
    if active is not None and backup.tag is not None and active.tag != backup.tag:
        notice(
            f"the backup was taken while {backup.tag.short} served, now {active.tag.short} does: "
            "deploy it again if its migrations are missing"
        )
    return {
        "backup": backup.as_json(),
        "database": names.database,
        "kept": names.old,
        "seconds": round(clock.monotonic() - begun, 3),
    }


def settle_restore(layout: Layout, host: HostConfig, notice: Notice) -> None:
    """Bring a restore whose engine was lost to an end. Call with the host's lock held."""
    begun = clock.monotonic()
    try:
        restoring = _restore(layout, host, notice)
        names = restoring.pending()
        if names is None:
            return
        in_use = restoring.settle(names)
    except FairwayError as error:
        notice(f"a restore was interrupted, and the database cannot be asked how far it came: {error.what}")
        return
    outcome = Outcome.SUCCEEDED if in_use else Outcome.FAILED
    facts = {"database": names.database, **({"kept": names.old} if in_use else {})}
    append(layout, begun, action="restore", by=names.by, backup=names.backup, outcome=outcome.value, **facts)
    notice(
        f"the interrupted restore of {names.backup} had put it in use"
        if in_use
        else f"undid the interrupted restore of {names.backup}; the database in use is the one it was"
    )


def drop_old(layout: Layout, host: HostConfig, args: Fields) -> dict[str, Any]:
    """Drop a database that a restore has put aside."""
    by = args.text("by", max_length=200)
    name = args.text("database", max_length=63)
    args.end()
    begun = clock.monotonic()
    lock = Lock.acquire(layout.lock, by=by, purpose="dropping an old database")
    try:
        settle(layout, host, lambda line: None)
        _restore(layout, host, lambda line: None).drop(name)
        append(layout, begun, action="drop-old", by=by, outcome=Outcome.SUCCEEDED.value, database=name)
    finally:
        lock.release()
    return {"dropped": name}


def prune(layout: Layout, host: HostConfig, args: Fields) -> dict[str, Any]:
    """Remove the backups beyond the retention."""
    by = args.text("by", max_length=200)
    only_plan = args.boolean("plan")
    args.end()
    store = Store(layout)
    begun = clock.monotonic()
    if only_plan:
        decisions = decide(layout, host, store.list())
        return {
            "goes": [one.id for one in decisions if not one.stays],
            "stays": [one.id for one in decisions if one.stays],
            "why": {one.id: list(one.why) for one in decisions if one.stays},
        }
    with store.locked(by=by, purpose=HOUSEKEEPING):
        store.sweep()
        gone = _prune(layout, host, store)
    if gone:
        record(layout, by, begun, action="backup-prune", pruned=gone)
    return {"goes": gone, "stays": [one.id for one in store.list()]}


def choose(store: Store, named: str | None) -> Backup:
    """Return the named backup, or the newest. Raises ``Invalid`` when there is none."""
    if named is not None:
        return store.read(named)
    newest = next(iter(store.list()), None)
    if newest is None:
        raise Invalid("there is no backup on this host", hint="fairway backup create <environment>")
    return newest


def new_id() -> str:
    """Return the id of a backup that begins now."""
    return datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S-%f")


def _prune(layout: Layout, host: HostConfig, store: Store) -> list[str]:
    goes = [one.id for one in decide(layout, host, store.list()) if not one.stays]
    for identity in goes:
        store.remove(store.read(identity))
    return goes


@contextmanager
def _between_deployments(layout: Layout, store: Store, by: str, wait_s: float, notice: Notice) -> Iterator[None]:
    """Hold the store, begun while no deployment is at work.

    The store is never held while the host is waited for: a deployment holds the host and
    waits for the store before it migrates.
    """
    deadline = clock.monotonic() + wait_s
    while True:
        _wait_for_deployment(layout, deadline, notice)
        left = max(deadline - clock.monotonic(), 0.0)
        with store.locked(by=by, purpose="backup", wait_s=left, notice=notice):
            if deploying(layout.lock) is None:
                yield
                return


def _wait_for_deployment(layout: Layout, deadline: float, notice: Notice) -> None:
    told = False
    while held := deploying(layout.lock):
        if clock.monotonic() >= deadline:
            raise Locked(
                f"a deployment is running: {held.get('purpose', 'unknown')}",
                why="a dump would stand in the way of its migrations",
                hint="follow it with: fairway attach <environment>; or let this wait: --wait 600",
            )
        if not told:
            notice(f"waiting for the {held.get('purpose', 'deployment')} to end")
            told = True
        clock.sleep(0.2)


def _take_identity(args: Fields) -> str | None:
    return args.text("identity", max_length=32 * 1024) if args.has("identity") else None


def _restore(layout: Layout, host: HostConfig, notice: Notice) -> Restore:
    return Restore(Store(layout), locate(layout, host), _env(layout), notice)


def _env(layout: Layout) -> Mapping[str, str]:
    return docker.environment(layout.docker_config)
