"""Copies of backups off the host, by restic or by rclone: as the tool itself says, they are there.

Whatever is not there yet is copied, so that one run makes up for those that failed.
No copy is ever removed there: whoever took this host must not be able to take the
copies, too. Sources: restic's manual, "Scripting"; rclone's, "copy" and "check".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fairway.engine.backups.upkeep import Offsite, Tool
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.envfile import read_env
from fairway.engine.layout import Layout
from fairway.engine.process import Completed, run
from fairway.engine.redact import Redactor

_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "XDG_CONFIG_HOME")
_MARK = "fairway"
_LOOK_S = 300.0
_COPY_S = 12 * 3600.0
# restic 0.17 and later; before that, its words.
_NO_REPOSITORY, _WRONG_PASSWORD = 10, 12


@dataclass(frozen=True)
class Piece:
    """One backup as it lies here: its dump, of which the size is known, and its metadata."""

    id: str
    dump: Path
    metadata: Path
    size_bytes: int

    @property
    def files(self) -> tuple[Path, Path]:
        """Both files."""
        return self.dump, self.metadata

    @property
    def here(self) -> bool:
        """Say whether it is still here: the retention may take it at any moment."""
        return all(file.exists() for file in self.files)


@dataclass(frozen=True)
class Copied:
    """What a run has copied, and what has a copy after it."""

    copied: tuple[str, ...]
    there: tuple[str, ...]


class Place(Protocol):
    """Where copies are, by whatever tool: the least that makes a copy and proves it."""

    def there(self, pieces: Sequence[Piece]) -> set[str]:
        """Return the ids of those of the backups that have a whole copy."""

    def copy(self, piece: Piece) -> None:
        """Make a copy. Raises ``Failed``, also when a file could not be read."""

    def check(self, pieces: Sequence[Piece]) -> None:
        """Have the tool check what is there. Raises ``Failed``."""


def place_of(layout: Layout, offsite: Offsite, name: str) -> Place:
    """Return the place, with what it needs of the host's environment file; ``name`` keeps hosts apart there.

    Raises ``Invalid`` when a key is missing.
    """
    wanted = [*([offsite.password_key] if offsite.password_key else []), *offsite.env_keys]
    path = layout.deploy_path / offsite.env_file
    values = read_env(layout, offsite.env_file, required=()) if wanted else {}
    if missing := [key for key in wanted if not values.get(key)]:
        raise Invalid(
            f"{path} lacks {', '.join(missing)}",
            why="fairway.toml names these under backup.offsite_password and backup.offsite_env",
            hint="add the missing lines",
        )
    env = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    env.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    env["LC_ALL"] = "C.UTF-8"
    env.update({key: values[key] for key in offsite.env_keys})
    redact = Redactor({key: values[key] for key in wanted})
    if offsite.tool is Tool.RCLONE:
        return Rclone(f"{offsite.target.rstrip('/')}/{name}", env, redact)
    env["RESTIC_REPOSITORY"] = offsite.target
    env["RESTIC_CACHE_DIR"] = str(layout.root / "restic-cache")
    if offsite.password_key:
        env["RESTIC_PASSWORD"] = values[offsite.password_key]
    return Restic(name, env, redact)


def copy_missing(place: Place, pieces: Sequence[Piece]) -> Copied:
    """Copy what is not there yet, the oldest first, have it checked and look again.

    What the retention takes meanwhile is left out. Raises ``Failed`` when a copy cannot be
    made, or is not there afterwards.
    """
    there = place.there(pieces)
    missing = sorted((piece for piece in pieces if piece.id not in there), key=lambda piece: piece.id)
    copied = tuple(piece.id for piece in missing if _copy(place, piece))
    pieces = _check(place, pieces)
    there = place.there(pieces)
    lost = {piece.id for piece in pieces} - there
    if lost:
        raise Failed(f"no copy of {', '.join(sorted(lost))} is there, though the tool made them")
    return Copied(copied, tuple(sorted(there)))


def _copy(place: Place, piece: Piece) -> bool:
    """Copy a backup; return False when it has gone from here."""
    try:
        if piece.here:
            place.copy(piece)
    except FairwayError:
        if piece.here:
            raise
    return piece.here


def _check(place: Place, pieces: Sequence[Piece]) -> list[Piece]:
    """Have what is there checked; return what is still here."""
    while True:
        here = [piece for piece in pieces if piece.here]
        try:
            place.check(here)
        except FairwayError:
            if all(piece.here for piece in here):
                raise
        else:
            return [piece for piece in here if piece.here]


class Restic:
    """A restic repository; every backup is a snapshot, found again by its tags.

    restic makes a snapshot also of what it could read a part of (exit code 3), so a
    snapshot is a copy only when the files in it are whole.
    """

    def __init__(self, name: str, env: Mapping[str, str], redact: Redactor) -> None:
        self._name = name
        self._env = env
        self._redact = redact

    def there(self, pieces: Sequence[Piece]) -> set[str]:
        """Return the ids that have a whole snapshot; make the repository when there is none."""
        done = self._run(restic_snapshots(self._name), _LOOK_S)
        if done.returncode == _NO_REPOSITORY or "Is there a repository at the following location?" in done.stderr:
            self._must(["restic", "init", "--quiet"], _LOOK_S, "the repository could not be made")
            return set()
        if done.returncode != 0:
            raise self._failed("the repository for copies cannot be read", done)
        tags = tags_of(done.stdout)
        if not {piece.id for piece in pieces} & {tag for of_one in tags.values() for tag in of_one}:
            return set()
        found = self._run(restic_find(self._name), _LOOK_S)
        if found.returncode != 0:
            raise self._failed("the repository for copies cannot be read", found)
        return whole_copies(pieces, tags, found.stdout)

    def copy(self, piece: Piece) -> None:
        """Make a snapshot of a backup."""
        self._must(restic_backup(self._name, piece), _COPY_S, f"{piece.id} could not be copied")

    def check(self, pieces: Sequence[Piece]) -> None:
        """Have restic check that the repository holds together.

        It refuses where a run of restic that was killed has left its lock; ``unlock`` takes away what
        is stale and no more: a lock of a process of this host that is gone, or half an hour old.
        """
        self._run(["restic", "unlock", "--quiet"], _LOOK_S)
        self._must(["restic", "check", "--quiet"], _COPY_S, "the repository for copies is damaged")

    def _must(self, argv: list[str], timeout_s: float, what: str) -> None:
        done = self._run(argv, timeout_s)
        if done.returncode != 0:
            raise self._failed(what, done)

    def _run(self, argv: list[str], timeout_s: float) -> Completed:
        return run(argv, env=self._env, timeout_s=timeout_s)

    def _failed(self, what: str, done: Completed) -> FairwayError:
        why = _last_words(self._redact(done.stderr))
        if done.returncode == _WRONG_PASSWORD or "wrong password" in done.stderr:
            hint = "compare the value of backup.offsite_password in the host's environment file"
        elif "unable to start the sftp session" in done.stderr or "subprocess ssh" in done.stderr:
            hint = "as the deploy user, on the host, try: sftp <the target>; no question may come up"
        else:
            hint = "as the deploy user, on the host: restic check"
        return Failed(what, why=why, hint=hint)


class Rclone:
    """A directory on one of rclone's remotes, with the same files as here."""

    def __init__(self, directory: str, env: Mapping[str, str], redact: Redactor) -> None:
        self._directory = directory
        self._env = env
        self._redact = redact

    def there(self, pieces: Sequence[Piece]) -> set[str]:
        """Return the ids whose metadata is there: it is copied after its dump."""
        done = self._run(["rclone", "lsf", "--files-only", self._directory])
        if done.returncode == 3:  # "directory not found"
            return set()
        if done.returncode != 0:
            raise self._failed("the place for copies cannot be read", done)
        names = set(done.stdout.splitlines())
        return {piece.id for piece in pieces if piece.metadata.name in names and piece.dump.name in names}

    def copy(self, piece: Piece) -> None:
        """Copy a backup's files, its metadata last."""
        for file in piece.files:
            done = self._run(["rclone", "copyto", str(file), f"{self._directory}/{file.name}"])
            if done.returncode != 0:
                raise self._failed(f"{piece.id} could not be copied", done)

    def check(self, pieces: Sequence[Piece]) -> None:
        """Have rclone compare sizes and, where the remote has them, checksums."""
        files = [file for piece in pieces for file in piece.files]
        if not files:
            return
        listed = "".join(f"{file.name}\n" for file in files)
        argv = ["rclone", "check", "--one-way", "--files-from-raw", "-", str(files[0].parent), self._directory]
        done = run(argv, env=self._env, stdin=listed, timeout_s=_COPY_S)
        if done.returncode != 0:
            raise self._failed("a copy is not what the backup is", done)

    def _run(self, argv: list[str]) -> Completed:
        return run(argv, env=self._env, timeout_s=_COPY_S)

    def _failed(self, what: str, done: Completed) -> Failed:
        hint = f"as the deploy user, on the host: rclone lsf {self._directory}"
        return Failed(what, why=_last_words(self._redact(done.stderr)), hint=hint)


def restic_snapshots(name: str) -> list[str]:
    """List the snapshots of a host's backups as JSON."""
    return ["restic", "snapshots", "--json", "--host", name, "--tag", _MARK]


def restic_find(name: str) -> list[str]:
    """List the files in all snapshots of a host's backups, with their sizes, as JSON."""
    return ["restic", "find", "--json", "--host", name, "--tag", _MARK, "*.dump", "*.dump.age", "*.json"]


def tags_of(snapshots: str) -> dict[str, set[str]]:
    """Read what ``restic snapshots`` lists: the tags of each snapshot, by its whole name."""
    return {str(one.get("id")): set(one.get("tags") or ()) for one in json.loads(snapshots or "[]")}


def whole_copies(pieces: Sequence[Piece], tags: Mapping[str, set[str]], found: str) -> set[str]:
    """Return the ids of those of which some snapshot has the metadata, and the dump in its size.

    ``found`` is what ``restic find`` says.
    """
    whole = set()
    for snapshot in json.loads(found or "[]"):
        files = {Path(str(match.get("path"))).name: match.get("size", 0) for match in snapshot.get("matches") or ()}
        for piece in pieces:
            if (
                piece.id in tags.get(str(snapshot.get("snapshot")), ())
                and files.get(piece.dump.name) == piece.size_bytes
                and files.get(piece.metadata.name)
            ):
                whole.add(piece.id)
    return whole


def restic_backup(name: str, piece: Piece) -> list[str]:
    """Make a snapshot that carries the backup's id; the repository and its password are in the environment."""
    files = [str(file) for file in piece.files]
    return ["restic", "backup", "--quiet", "--host", name, "--tag", f"{_MARK},{piece.id}", "--", *files]


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return "\n".join(lines[-5:])[-500:]
