"""Where backups lie: ``.fairway/backups/<id>.dump`` (``.dump.age`` when encrypted), each with ``<id>.json`` beside it.

A dump is a backup from the moment its metadata is there, which is written last and
in one piece. What has none was left by an engine that was lost, and goes with the
next sweep.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import fairway
from fairway.engine.contract.errors import FairwayError, Invalid, Locked
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.contract.versions import WRITTEN_BY, reading, take_writer
from fairway.engine.files import sync_directory, write_atomically
from fairway.engine.layout import Layout
from fairway.engine.lock import Lock

#: What is written down while a restore is under way.
RESTORE_RECORD = "restore.json"

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}")
_FILE = re.compile(r"(?P<id>[0-9]{8}-[0-9]{6}-[0-9]{6})\.(?:dump|dump\.age|part)")
_METADATA = re.compile(r"(?P<id>[0-9]{8}-[0-9]{6}-[0-9]{6})\.json")


class Reason(enum.Enum):
    """What a backup was taken for."""

    MANUAL = "manual"
    DEPLOY = "deploy"
    SCHEDULED = "scheduled"


def backup_id(value: str) -> str:
    """Check a backup's id, which is also a file's name."""
    if not _ID.fullmatch(value):
        raise Invalid(f"not a backup id: {value[:60]!r}", why="for example 20260131-120000-000000")
    return value


@dataclass(frozen=True)
class Backup:
    """What is known of a backup; ``size_bytes`` and ``sha256`` are of the file as it lies there.

    ``tag`` is the release that served, None before the first. ``server_version`` is the
    server's number, ``170002``. ``encrypted_to`` are age recipients, none for a plain
    dump. ``tables`` are the rows of each table in the dump's own snapshot, None when they
    were not counted. ``database_bytes`` is what the database took on its own disk.
    """

    id: str
    taken_at: str
    tag: Tag | None
    database: str
    server_version: int
    database_bytes: int
    size_bytes: int
    sha256: Digest
    encrypted_to: tuple[str, ...]
    tables: Mapping[str, int] | None
    reason: Reason

    @property
    def file_name(self) -> str:
        """The dump's name in the store."""
        return f"{self.id}.dump.age" if self.encrypted_to else f"{self.id}.dump"

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            **self.__dict__,
            "encrypted_to": list(self.encrypted_to),
            "tables": dict(self.tables) if self.tables is not None else None,
            "reason": self.reason.value,
        }

    def as_row(self) -> dict[str, Any]:
        """Return it for a list: of the tables how many they are, and their rows in all."""
        tables = self.tables
        counts = (None, None) if tables is None else (len(tables), sum(tables.values()))
        return {**self.as_json(), **dict(zip(("tables", "rows"), counts))}

    @classmethod
    def parse(cls, fields: Fields) -> Backup:
        """Take a backup out of a document. Raises ``Invalid`` naming the key."""
        backup = cls(
            id=fields.parsed("id", backup_id),
            taken_at=fields.text("taken_at", max_length=64),
            tag=fields.nullable("tag", lambda: fields.parsed("tag", Tag)),
            database=fields.text("database", max_length=63),
            server_version=fields.integer("server_version"),
            database_bytes=fields.integer("database_bytes"),
            size_bytes=fields.integer("size_bytes"),
            sha256=fields.parsed("sha256", Digest),
            encrypted_to=fields.texts("encrypted_to"),
            tables=fields.nullable("tables", lambda: fields.counts("tables")),
            reason=fields.one_of("reason", Reason),
        )
        fields.end()
        return backup


class Store:
    """The backups of one host."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @property
    def directory(self) -> Path:
        """Where they lie."""
        return self._layout.backups

    def path(self, backup: Backup) -> Path:
        """Return the file of a backup."""
        return self.directory / backup.file_name

    def part(self, identity: str) -> Path:
        """Return the file that a dump is written to until it is complete."""
        return self.directory / f"{backup_id(identity)}.part"

    def metadata(self, identity: str) -> Path:
        """Return the file that makes a dump a backup."""
        return self.directory / f"{backup_id(identity)}.json"

    def list(self) -> tuple[Backup, ...]:
        """Return the backups, the newest first; one whose metadata cannot be read is not among them."""
        found = []
        for identity in self._identities():
            try:
                found.append(self.read(identity))
            except FairwayError:
                continue
        return tuple(found)

    def unreadable(self) -> tuple[str, ...]:
        """Return the ids whose metadata cannot be read, the newest first: told, and never removed."""
        bad = []
        for identity in self._identities():
            try:
                self.read(identity)
            except FairwayError:
                bad.append(identity)
        return tuple(bad)

    def _identities(self) -> tuple[str, ...]:
        if not self.directory.is_dir():
            return ()
        matches = (_METADATA.fullmatch(path.name) for path in self.directory.iterdir())
        return tuple(sorted((match["id"] for match in matches if match), reverse=True))

    def read(self, identity: str) -> Backup:
        """Return one backup. Raises ``Invalid`` when there is none of this id."""
        path = self.metadata(identity)
        try:
            document = parse_json(path.read_bytes(), str(path))
        except FileNotFoundError:
            raise Invalid(
                f"there is no backup {identity} on this host", hint="fairway backup list <environment>"
            ) from None
        with reading(str(path), take_writer(document)):
            backup = Backup.parse(Fields(document, str(path)))
        if backup.id != identity:
            # Taken at its word, another one would be checked, restored and removed in its place.
            raise Invalid(f"{path} is of another backup: {backup.id}", hint="give it its own name back")
        return backup

    def keep(self, backup: Backup) -> None:
        """Make a complete dump a backup: its file is renamed, then its metadata written, each durably."""
        self.part(backup.id).replace(self.path(backup))
        sync_directory(self.directory)
        document = {**backup.as_json(), WRITTEN_BY: fairway.__version__}
        write_atomically(self.metadata(backup.id), (json.dumps(document, indent=2) + "\n").encode())

    def remove(self, backup: Backup) -> None:
        """Remove a backup: its metadata first, so that no half of one is ever taken for a whole."""
        self.metadata(backup.id).unlink()
        sync_directory(self.directory)
        self.path(backup).unlink(missing_ok=True)

    def sweep(self) -> tuple[str, ...]:
        """Remove what was left half done; return the names. Call with :meth:`locked` held."""
        if not self.directory.is_dir():
            return ()
        gone = []
        for path in sorted(self.directory.iterdir()):
            match = _FILE.fullmatch(path.name)
            if match and not self.metadata(match["id"]).exists():
                path.unlink()
                gone.append(path.name)
        return tuple(gone)

    @contextmanager
    def locked(
        self, *, by: str, purpose: str, wait_s: float = 0.0, notice: Callable[[str], None] | None = None
    ) -> Iterator[None]:
        """Be the only one who changes what is here.

        A lock of its own, so that a rollback does not wait for a dump. Whoever wants the
        host's lock, too, takes that first, or gives this one up before.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock = Lock.acquire(self.directory / "lock", by=by, purpose=purpose, wait_s=wait_s, notice=notice)
        except Locked as busy:
            raise Locked(
                "the backups of this host are in use: one is being taken, restored or removed",
                why=busy.why,
                hint="try again when that has ended, or let this wait: --wait 3600",
            ) from None
        try:
            yield
        finally:
            lock.release()
