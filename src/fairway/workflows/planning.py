"""What is to happen to each file, from three texts: what it is to be, what is there, and what was written last."""

from __future__ import annotations

import difflib
import enum
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.contract.errors import Failed, Invalid
from fairway.workflows.files import File, Kind
from fairway.workflows.record import Entry, Record, digest


class State(enum.Enum):
    """How a file stands."""

    SAME = "same"
    NEW = "new"
    OLD = "old"
    #: Changed by a person, or theirs from the beginning: left alone.
    CHANGED = "changed by hand"
    #: Changed by a person, who said that it is meant.
    MEANT = "kept as it is"
    #: The team's own: nothing more is said of it.
    OWN = "yours"


@dataclass(frozen=True)
class Change:
    """One file: as it is there (None when it is not), as it would be, and how it stands."""

    file: File
    there: str | None
    state: State

    @property
    def writes(self) -> bool:
        """Whether the file is written."""
        return self.state in (State.NEW, State.OLD)

    @property
    def drifts(self) -> bool:
        """Whether the repository is not as it would be written."""
        return self.writes or self.state is State.CHANGED

    def diff(self) -> list[str]:
        """Return the difference between what is there and what would be, in unified form."""
        before = (self.there or "").splitlines(keepends=True)
        after = self.file.text.splitlines(keepends=True)
        name = self.file.path
        old = "/dev/null" if self.there is None else f"a/{name}"
        return [line.rstrip("\n") for line in difflib.unified_diff(before, after, old, f"b/{name}")]


def compare(
    root: Path,
    files: Sequence[File],
    record: Record | None,
    *,
    replacing: Collection[str] = (),
    keeping: Collection[str] = (),
    begin: bool = False,
) -> list[Change]:
    """Say how each file stands. ``begin`` is the first time, when the team's own files are written too.

    ``replacing`` and ``keeping`` are what a person has said about files they have changed.
    Raises ``Invalid`` when one of those is no file of these.
    """
    known = {one.path for one in files}
    for path in (*replacing, *keeping):
        if path not in known:
            raise Invalid(f"{path} is none of the files that fairway init writes", why=", ".join(sorted(known)))
    entries = record.files if record else {}
    return [_change(root, one, entries.get(one.path), replacing, keeping, begin=begin) for one in files]


def _change(
    root: Path, file: File, entry: Entry | None, replacing: Collection[str], keeping: Collection[str], *, begin: bool
) -> Change:
    there = _read(root / file.path)
    if there == file.text:
        return Change(file, there, State.SAME)
    if file.path in replacing:
        return Change(file, there, State.NEW if there is None else State.OLD)
    if there is None:
        return Change(file, there, State.NEW)
    if file.kind is Kind.BEGUN:
        return Change(file, there, State.OLD if _grows(file, there) and begin else State.OWN)
    if file.path in keeping:
        return Change(file, there, State.MEANT)
    if entry is not None and digest(there) == entry.written:
        return Change(file, there, State.OLD)
    if entry is not None and entry.kept == digest(there) and entry.written == digest(file.text):
        return Change(file, there, State.MEANT)
    return Change(file, there, State.CHANGED)


def _grows(file: File, there: str) -> bool:
    """Say whether the new text only adds lines at the end, as to a .gitignore."""
    return file.text.startswith(there)


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{path} cannot be read", why=str(error)[:200]) from None


def write(root: Path, changes: Sequence[Change]) -> None:
    """Write the files that are to be written, each in one move, and never through a link out of the repository.

    Raises ``Failed`` naming the file that could not be.
    """
    for change in changes:
        if change.writes:
            put(root, change.file.path, change.file.text, executable=change.file.executable)


def put(root: Path, name: str, text: str, *, executable: bool = False) -> None:
    """Write one file of the repository. Raises ``Failed``."""
    path = root / name
    scratch = path.with_name(f".{path.name}.fairway")
    try:
        if not path.parent.resolve().is_relative_to(root.resolve()) or path.is_symlink():
            raise Failed(f"{name} is not written: a link leads elsewhere", hint="put a file in the place of the link")
        path.parent.mkdir(parents=True, exist_ok=True)
        # A repository of somebody else's may have a link of that name in it.
        scratch.unlink(missing_ok=True)
        with scratch.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        scratch.chmod(mode | 0o111 if executable else mode)
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise Failed(f"{name} cannot be written", why=os.strerror(error.errno or 0)) from None


def recorded(record: Record, changes: Sequence[Change]) -> Record:
    """Return the record as it is once the changes are written."""
    files = dict(record.files)
    for change in changes:
        if change.file.kind is not Kind.KEPT:
            continue
        new = digest(change.file.text)
        if change.state is State.MEANT:
            files[change.file.path] = Entry(new, digest(change.there or ""))
        elif change.state is not State.CHANGED:
            files[change.file.path] = Entry(new)
    known = {change.file.path for change in changes}
    return Record(record.provider, record.branch, {path: one for path, one in files.items() if path in known})
