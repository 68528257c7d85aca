"""An environment at a glance: what its host's status comes down to, and what of it wants attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairway.evidence.explain import locked_words
from fairway.observe.attempts import read_time
from fairway.observe.durations import duration


@dataclass(frozen=True)
class Glance:
    """What a person looks for first.

    ``serves`` is the short tag, "nothing", or "unknown" where the host gave no answer;
    ``trouble`` says that something is not as it should be, ``notes`` what that is, and more.
    """

    environment: str
    serves: str
    trouble: bool
    locked: bool = False
    slot: str = ""
    since: str = ""
    by: str = ""
    rollback: str = ""
    slots: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The environment, and whether it is locked."""
        return f"{self.environment} (locked)" if self.locked else self.environment

    @property
    def row(self) -> tuple[str, ...]:
        """The line of a table."""
        since = self.since[:19].replace("T", " ")
        return (self.name, self.serves, self.slot, since, self.by, self.rollback)

    def age(self, now: datetime) -> str:
        """Say for how long it serves; empty when that is not known."""
        since = read_time(self.since) if self.since else None
        return duration(max(0.0, (now - since).total_seconds())) if since else ""


def glance(name: str, answer: Mapping[str, Any]) -> Glance:
    """Return a status at a glance; an answer with ``error`` is that of a host that gave none."""
    if "error" in answer:
        error = answer["error"]
        return Glance(
            name, "unknown", True, notes=(f"{error['what']}\n  why: {error['why']}\n  next: {error['hint']}",)
        )
    serving = answer["serving"] or {}
    return Glance(
        environment=name,
        serves=str(serving["tag"])[:11] if serving else "nothing",
        trouble=not serving or bool(answer["drift"]) or bool(down_doors(answer)),
        locked=bool(answer.get("locked")),
        slot=str(serving.get("slot") or ""),
        since=str(serving.get("since") or ""),
        by=str(serving.get("by") or ""),
        rollback=_rollback(answer),
        slots=tuple(_slot(slot, facts) for slot, facts in answer["slots"].items() if facts["container"] != "none"),
        notes=tuple(_notes(name, answer)),
    )


def _notes(name: str, answer: Mapping[str, Any]) -> list[str]:
    notes = []
    if answer.get("locked"):
        notes.append(locked_words(answer["locked"]))
    notes += [door_words(name, door) for door in answer.get("uptime") or () if door["state"] != "up"]
    notes += [f"drift: {line}" for line in answer["drift"]]
    if (answer.get("leftovers") or {}).get("rows"):
        notes.append(f"the database still has secrets ({leftovers(answer)}): fairway secrets scan {name}")
    notes += [line.replace("<environment>", name) for line in (answer.get("edge") or {}).get("notes", ())]
    warnings = (answer.get("backups") or {}).get("warnings", ())
    notes += [f"backups: {line.replace('<environment>', name)}" for line in warnings]
    notes += [f"notifications: {line}" for line in (answer.get("notifications") or {}).get("warnings", ())]
    if answer["deploying"]:
        notes.append(f"{_running(answer)}: fairway attach {name}")
    elif answer["drift"]:
        notes.append(f"to bring it back to the record: fairway reconcile {name} --plan")
    return notes


def down_doors(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the front doors that this host finds down; an older engine looks at none."""
    return [door for door in answer.get("uptime") or () if door["state"] == "down"]


def door_words(name: str, door: Mapping[str, Any]) -> str:
    """Say of a front door that is not up how it is; ``name`` is the environment from whose host it is seen."""
    seen = f" of {door['environment']}, seen from here," if door["environment"] != name else ""
    since = f" since {str(door['since'])[:19].replace('T', ' ')}" if door["since"] else ""
    return f"the front door{seen} is {door['state']}{since}, {door['url']}: {door['why']}"


def leftovers(answer: Mapping[str, Any]) -> str:
    """Say how many secrets the database still has; an older engine does not know."""
    found = answer["leftovers"]
    if found["rows"] is None:
        return f"unknown: {'; '.join(found['missing'])}"
    missing = f" ({'; '.join(found['missing'])})" if found["missing"] else ""
    return (str(found["rows"]) if found["rows"] else "none") + missing


def _running(answer: Mapping[str, Any]) -> str:
    running = answer["deployment"] or {}
    return f"a {running.get('purpose', 'deployment')} by {running.get('by')} is running since {running.get('since')}"


def _rollback(answer: Mapping[str, Any]) -> str:
    previous = answer["previous"]
    if previous is None:
        return "nothing yet"
    slot = answer["slots"][previous["slot"]]
    warm = slot["container"] == "running" and slot["tag"] == previous["tag"]
    return f"{str(previous['tag'])[:11]} ({'warm' if warm else 'cold'})"


def _slot(name: str, facts: Mapping[str, Any]) -> str:
    open_now = "" if facts["connections"] is None else f", {facts['connections']} open"
    health = f", {facts['health']}" if facts.get("health") else ""
    tag, serves = str(facts["tag"] or "")[:11], " serves" if facts["active"] else ""
    return f"{name}{serves}: {tag} {facts['container']}{health}{open_now}"
