"""Copies of backups off the host, by restic or by rclone: as the tool itself says, they are there.

Whatever is not there yet is copied, so that one run makes up for those that failed.
Nothing is ever removed there: whoever took this host must not be able to take the
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
    """One backup as it lies here: its dump and its metadata."""

    id: str
    files: tuple[Path, ...]


class Place(Protocol):
    """Where copies are, by whatever tool: the least that makes a copy and proves it."""

    def there(self) -> set[str]:
        """Return the ids of the backups that have a copy."""

    def copy(self, piece: Piece) -> None:
        """Make a copy."""

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


def copy_missing(place: Place, pieces: Sequence[Piece]) -> tuple[str, ...]:
    """Copy what is not there yet, the oldest first, have it checked and look again; return the ids.

    Raises ``Failed`` when a copy cannot be made, or is not there afterwards.
    """
    there = place.there()
    missing = sorted((piece for piece in pieces if piece.id not in there), key=lambda piece: piece.id)
    for piece in missing:
        place.copy(piece)
    place.check(pieces)
    lost = {piece.id for piece in pieces} - place.there()
    if lost:
        raise Failed(f"no copy of {', '.join(sorted(lost))} is there, though the tool made them")
    return tuple(piece.id for piece in missing)


class Restic:
    """A restic repository; every backup is a snapshot, found again by its tags."""

    def __init__(self, name: str, env: Mapping[str, str], redact: Redactor) -> None:
        self._name = name
        self._env = env
        self._redact = redact

    def there(self) -> set[str]:
        """Return the ids that have a snapshot; make the repository when there is none."""
        done = self._run(restic_snapshots(self._name), _LOOK_S)
        if done.returncode == _NO_REPOSITORY or "Is there a repository at the following location?" in done.stderr:
            self._must(["restic", "init", "--quiet"], _LOOK_S, "the repository could not be made")
            return set()
        if done.returncode != 0:
            raise self._failed("the repository for copies cannot be read", done)
        tags = (tag for snapshot in json.loads(done.stdout or "[]") for tag in snapshot.get("tags") or ())
        return {tag for tag in tags if tag != _MARK}

    def copy(self, piece: Piece) -> None:
        """Make a snapshot of a backup."""
        self._must(restic_backup(self._name, piece), _COPY_S, f"{piece.id} could not be copied")

    def check(self, pieces: Sequence[Piece]) -> None:
        """Have restic check that the repository holds together."""
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

    def there(self) -> set[str]:
        """Return the ids whose metadata is there: it is copied after its dump."""
        done = self._run(["rclone", "lsf", "--files-only", self._directory])
        if done.returncode == 3:  # "directory not found"
            return set()
        if done.returncode != 0:
            raise self._failed("the place for copies cannot be read", done)
        return {name[: -len(".json")] for name in done.stdout.splitlines() if name.endswith(".json")}

    def copy(self, piece: Piece) -> None:
        """Copy a backup's files, its metadata last."""
        for file in sorted(piece.files, key=lambda path: path.suffix == ".json"):
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


def restic_backup(name: str, piece: Piece) -> list[str]:
    """Make a snapshot that carries the backup's id; the repository and its password are in the environment."""
    files = [str(file) for file in piece.files]
    return ["restic", "backup", "--quiet", "--host", name, "--tag", f"{_MARK},{piece.id}", "--", *files]


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return "\n".join(lines[-5:])[-500:]
