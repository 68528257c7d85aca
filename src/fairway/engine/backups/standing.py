"""How a host stands with its backups: what ``status`` says, and warns of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairway.engine import clock
from fairway.engine.backups.store import Store
from fairway.engine.contract.protocol import Outcome
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger

_KINDS = ("backup", "drill", "backup-copy")
_LOOKED_AT = 3000


@dataclass(frozen=True)
class Last:
    """The newest entry of a kind in the ledger, and the newest of those that succeeded."""

    entry: dict[str, Any] | None = None
    good: dict[str, Any] | None = None

    @property
    def failed(self) -> bool:
        """Say whether the newest of its kind failed."""
        return self.entry is not None and self.entry.get("outcome") != Outcome.SUCCEEDED.value


def describe_backups(layout: Layout, host: HostConfig, *, unscheduled: str | None) -> dict[str, Any]:
    """Return how the host stands as a document; ``unscheduled`` is what is missing for the timers to run."""
    now = clock.parse(clock.now())
    backups = Store(layout).list()
    newest = backups[0] if backups else None
    last = _last(layout)
    return {
        "newest": {
            "id": newest.id,
            "taken_at": newest.taken_at,
            "age_s": round((now - clock.parse(newest.taken_at)).total_seconds()),
            "size_bytes": newest.size_bytes,
            "encrypted": bool(newest.encrypted_to),
            "reason": newest.reason.value,
        }
        if newest
        else None,
        "drill": _told(last["drill"].entry),
        "copy": _told(last["backup-copy"].entry),
        "warnings": warnings(
            host,
            newest=clock.parse(newest.taken_at) if newest else None,
            oldest=clock.parse(backups[-1].taken_at) if backups else None,
            last=last,
            unscheduled=unscheduled,
            now=now,
        ),
    }


def warnings(
    host: HostConfig,
    *,
    newest: datetime | None,
    oldest: datetime | None,
    last: dict[str, Last],
    unscheduled: str | None,
    now: datetime,
) -> list[str]:
    """Say what an operator should do something about; nothing where all is as fairway.toml wants it."""
    upkeep = host.upkeep
    found = []
    if unscheduled is not None:
        found.append(f"nothing is done on schedule: {unscheduled}; fairway bootstrap <environment>")
    if last["backup"].failed:
        found.append(f"the last backup failed: {_why(last['backup'].entry)}")
    if upkeep.schedule is not None and upkeep.schedule.overdue(newest, now):
        found.append(f"a backup is overdue ({upkeep.schedule.text}): {_ago(newest, now)}")
    drill = last["drill"]
    if drill.failed:
        found.append(f"the last drill failed: {_why(drill.entry)}")
    elif drill.entry is not None and not drill.entry.get("restored"):
        found.append("the last drill checked the bytes only: the backup is encrypted, and no key was at hand")
    if upkeep.drill is not None and oldest is not None and not drill.failed:
        tried = _at(drill.good)
        # Before the first one it is due from when there was something to try.
        if upkeep.drill.overdue(tried or oldest, now):
            found.append(f"a drill is overdue ({upkeep.drill.text}): {_ago(tried, now)}")
    if last["backup-copy"].failed:
        found.append(f"the last copy off the host failed: {_why(last['backup-copy'].entry)}")
    elif upkeep.offsite is not None and newest is not None:
        copied = _at(last["backup-copy"].good)
        if copied is None or copied < newest:
            found.append("the newest backup has no copy off the host: fairway backup copy <environment>")
    return found


def _last(layout: Layout) -> dict[str, Last]:
    found = {kind: Last() for kind in _KINDS}
    for count, entry in enumerate(Ledger(layout.ledger).newest_first()):
        kind = str(entry.get("action"))
        if kind in found:
            known = found[kind]
            succeeded = entry.get("outcome") == Outcome.SUCCEEDED.value
            found[kind] = Last(known.entry or entry, known.good or (entry if succeeded else None))
        if count >= _LOOKED_AT or all(one.good for one in found.values()):
            break
    return found


def _told(entry: dict[str, Any] | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    wanted = ("at", "outcome", "by", "backup", "restored", "counted", "tables", "rows", "seconds", "target", "copied")
    error = entry.get("error")
    told = {key: entry[key] for key in wanted if key in entry}
    return {**told, "error": error.get("what") if isinstance(error, dict) else None}


def _why(entry: dict[str, Any] | None) -> str:
    error = (entry or {}).get("error")
    return str(error.get("what")) if isinstance(error, dict) else "see fairway history <environment>"


def _at(entry: dict[str, Any] | None) -> datetime | None:
    return clock.parse(str(entry["at"])) if entry else None


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "there is none yet"
    hours = (now - moment).total_seconds() / 3600
    return f"the last one is {hours:.0f} hours old" if hours < 72 else f"the last one is {hours / 24:.0f} days old"
