"""``instances.json``: which of the edge's processes is the present one, and what is under way with them.

A host whose edge was never upgraded has no such file: the base serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.files import write_atomically
from fairway.engine.instances.runtime import BASE


@dataclass(frozen=True)
class Draining:
    """An instance that takes no more visitors, and until when it may finish those it has."""

    number: int
    until: str

    @property
    def overdue(self) -> bool:
        """Say whether its time is up."""
        return clock.now() >= self.until


@dataclass(frozen=True)
class Running:
    """An edge as it runs: its image, and the version its process says it has."""

    image: str
    version: str

    def as_json(self) -> dict[str, str]:
        return dict(self.__dict__)

    def __str__(self) -> str:
        return f"{self.image} (HAProxy {self.version})"


@dataclass(frozen=True)
class Pending:
    """An upgrade under way, written down before the new instance is started."""

    number: int
    before: Running
    after: Running
    by: str
    begun: str

    def as_json(self) -> dict[str, Any]:
        return {**self.__dict__, "before": self.before.as_json(), "after": self.after.as_json()}


@dataclass(frozen=True)
class EdgeRecord:
    """The present instance, the numbers given out so far, those that drain, and the upgrade under way."""

    current: int = BASE
    last: int = BASE
    draining: tuple[Draining, ...] = ()
    pending: Pending | None = None

    def drain(self, number: int, until: str) -> EdgeRecord:
        """Note that an instance drains; one that does already keeps its time."""
        if any(one.number == number for one in self.draining):
            return self
        return replace(self, draining=(*self.draining, Draining(number, until)))

    def without(self, gone: Iterable[int]) -> EdgeRecord:
        """Strike out instances that have drained."""
        struck = set(gone)
        return replace(self, draining=tuple(one for one in self.draining if one.number not in struck))

    def write(self, path: Path) -> None:
        """Store the record."""
        document = {
            "current": self.current,
            "last": self.last,
            "draining": {str(one.number): one.until for one in self.draining},
            "pending": self.pending.as_json() if self.pending else None,
        }
        write_atomically(path, (json.dumps(document, indent=2) + "\n").encode())


def read_record(path: Path) -> EdgeRecord:
    """Read the record; a host without one has the base alone."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return EdgeRecord()
    fields = Fields(parse_json(content, str(path)), str(path))
    record = EdgeRecord(
        current=fields.integer("current"),
        last=fields.integer("last"),
        draining=tuple(Draining(int(number), until) for number, until in fields.mapping("draining").items()),
        pending=_pending(fields.object("pending")) if fields.has("pending") else None,
    )
    fields.end()
    return record


def _pending(fields: Fields) -> Pending:
    return Pending(
        number=fields.integer("number"),
        before=_running(fields.object("before")),
        after=_running(fields.object("after")),
        by=fields.text("by"),
        begun=fields.text("begun"),
    )


def _running(fields: Fields) -> Running:
    return Running(image=fields.text("image"), version=fields.text("version"))
