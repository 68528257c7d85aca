"""``traffic.json``: which addresses were changed in which of nginx's files, so that they can be changed back."""

from __future__ import annotations

import enum
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.names import Digest
from fairway.engine.files import write_atomically
from fairway.engine.layout import Layout

FORMAT = 1
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")


class Side(enum.Enum):
    """Who nginx forwards to."""

    FAIRWAY = "fairway"
    MANUAL = "manual"


@dataclass(frozen=True)
class Made:
    """One changed address: where it stands in the changed text (line from 1, column from 0), old and new."""

    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True)
class ChangedFile:
    """A file of nginx with what was changed in it, and what the whole of it was before and after."""

    path: str
    before: Digest
    after: Digest
    made: tuple[Made, ...]


@dataclass(frozen=True)
class Record:
    """The last move to Fairway. ``to`` is the side traffic went to last; ``moving`` that it was not finished."""

    to: Side
    moving: bool
    at: str
    by: str
    files: tuple[ChangedFile, ...]

    def turned(self, to: Side, *, at: str, by: str) -> Record:
        """Return the record with traffic on its way to the given side."""
        return replace(self, to=to, moving=True, at=at, by=by)

    def arrived(self, to: Side) -> Record:
        """Return the record with traffic at the given side."""
        return replace(self, to=to, moving=False)

    @property
    def old_addresses(self) -> list[tuple[str, int]]:
        """The hosts and ports of the existing set-up that were forwarded to."""
        split = (made.old.rpartition(":") for file in self.files for made in file.made)
        return [(host, int(port)) for host, _, port in split]

    def write(self, layout: Layout) -> None:
        """Store the record."""
        document = {"format": FORMAT, **asdict(self), "to": self.to.value}
        write_atomically(_path(layout), (json.dumps(document, indent=2) + "\n").encode())


def backup_path(layout: Layout, content: Digest) -> Path:
    """Return where the copy of a file with this content is kept."""
    return layout.root / "traffic" / f"{content.removeprefix('sha256:')}.conf"


def read_record(layout: Layout) -> Record | None:
    """Read the record; None when traffic was never moved. Raises ``Invalid`` when it is not one."""
    path = _path(layout)
    try:
        document = parse_json(path.read_bytes(), str(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    files = _objects(document, "files", str(path))
    fields = Fields(document, str(path))
    if fields.integer("format") != FORMAT:
        raise Invalid(f"{path} was written by another version of Fairway", hint="fairway bootstrap <environment>")
    record = Record(
        to=fields.parsed("to", Side),
        moving=fields.boolean("moving"),
        at=fields.text("at"),
        by=fields.text("by"),
        files=tuple(_file(file, f"{path}: files") for file in files),
    )
    fields.end()
    return record


def remove_record(layout: Layout) -> None:
    """Forget a move that came to nothing."""
    _path(layout).unlink(missing_ok=True)


def _file(document: Any, name: str) -> ChangedFile:
    made = _objects(document, "made", name)
    fields = Fields(document, name)
    file = ChangedFile(
        path=fields.text("path"),
        before=fields.parsed("before", Digest),
        after=fields.parsed("after", Digest),
        made=tuple(_made(Fields(entry, f"{name}.made")) for entry in made),
    )
    fields.end()
    return file


def _made(fields: Fields) -> Made:
    made = Made(
        line=fields.integer("line", minimum=1),
        column=fields.integer("column"),
        old=fields.matching("old", _ADDRESS, "an address and a port"),
        new=fields.matching("new", _ADDRESS, "an address and a port"),
    )
    fields.end()
    return made


def _objects(document: Any, key: str, name: str) -> list[Any]:
    """Take a list out of an object before the rest of it is read."""
    value = document.pop(key, None) if isinstance(document, dict) else None
    if not isinstance(value, list):
        raise Invalid(f"{name}: {key} must be a list")
    return value


def _path(layout: Layout) -> Path:
    return layout.root / "traffic.json"
