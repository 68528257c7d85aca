"""Whether an administrator keeps this host: decided from who owns what, and who could change it.

The engine decides, so it must be out of reach of whoever deploys: itself, what it goes
by, and every directory on the way to them.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.layout import Layout
from fairway.engine.ownership import deploy_owner

_ROOT = 0


@dataclass(frozen=True)
class Entry:
    """A file or directory as ``lstat`` sees it; ``closed`` says that nothing new may appear in it either."""

    path: str
    uid: int
    mode: int
    closed: bool
    there: bool = True


@dataclass(frozen=True)
class Guard:
    """Who keeps this host; ``why`` says what is open when it is not an administrator."""

    guarded: bool
    kept_by: str
    why: str


def weakness(entries: Iterable[Entry]) -> str | None:
    """Say the first thing that somebody other than root could change, or None.

    Where an access control list grants more, it shows in the group's bits (acl(5)).
    """
    for entry in entries:
        if not entry.there:
            return f"{entry.path} is not there"
        if entry.uid != _ROOT:
            return f"{entry.path} does not belong to root"
        if stat.S_ISLNK(entry.mode):
            continue  # a link has no mode of its own; what it leads to is looked at as well
        if not entry.mode & (stat.S_IWGRP | stat.S_IWOTH):
            continue
        # In a sticky directory nobody renames or removes what is root's.
        if entry.closed or not (stat.S_ISDIR(entry.mode) and entry.mode & stat.S_ISVTX):
            return f"{entry.path} can be written by others than root"
    return None


def examine(layout: Layout) -> Guard:
    """Look at this host."""
    owner = deploy_owner(layout)
    user = _name(owner.st_uid)
    if owner.st_uid == _ROOT:
        return Guard(False, user, "the deploy user is root")
    why = weakness(_entries(layout))
    return Guard(why is None, user if why else _name(_ROOT), why or "")


def _entries(layout: Layout) -> list[Entry]:
    current = (layout.engines / "current").resolve()
    way = [*reversed(layout.root.parents), layout.root]
    closed = [layout.engines, layout.engines / "current", current, layout.trust]
    # The two may be missing: whoever deploys cannot make them in a directory that is closed.
    closed += [path for path in (layout.policy, layout.keys) if os.path.lexists(path)]
    closed.append(layout.host_config)
    return [*(_entry(path, closed=False) for path in way), *(_entry(path, closed=True) for path in closed)]


def _entry(path: Path, *, closed: bool) -> Entry:
    try:
        seen = os.lstat(path)
    except OSError:
        return Entry(str(path), _ROOT, 0, closed, there=False)
    return Entry(str(path), seen.st_uid, seen.st_mode, closed)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
