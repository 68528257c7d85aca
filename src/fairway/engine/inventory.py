"""Look at everything that a host collects: releases, images, deployments, engines."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Tag
from fairway.engine.contract.protocol import Outcome
from fairway.engine.deployment import deployment_id, read_request
from fairway.engine.images import ImageStore, familiar
from fairway.engine.journal import has_ended, read_journal
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.prune import DeploymentThere, EngineThere, ReleaseThere, There
from fairway.engine.state import read_state

_ENGINE = re.compile(r"fairway-engine-[0-9a-f]{16}\.pyz")


def look(layout: Layout) -> There:
    """Return what is there. What has a name that Fairway does not give is not Fairway's, and left out."""
    store = ImageStore(layout)
    state = read_state(layout.state)
    occupants = [occupant for occupant in (state.active, state.previous) if occupant]
    successes, tried = _record(layout)
    return There(
        releases=tuple(_releases(layout)),
        deployments=tuple(_deployments(layout)),
        engines=tuple(_engines(layout)),
        images=tuple(store.images()),
        users=tuple(store.users()),
        successes=successes,
        tried=tried,
        serving=state.active.tag if state.active else None,
        previous=state.previous.tag if state.previous else None,
        recorded=frozenset(occupant.deployment for occupant in occupants),
    )


def _record(layout: Layout) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the releases that served, newest first, and those tried since the last success."""
    successes: dict[str, None] = {}
    tried: set[str] = set()
    for entry in Ledger(layout.ledger).newest_first():
        release = entry.get("release")
        if not isinstance(release, str):
            continue
        if entry.get("outcome") == Outcome.SUCCEEDED.value:
            successes.setdefault(release)
        elif not successes:
            tried.add(release)
    return tuple(successes), frozenset(tried)


def _releases(layout: Layout) -> list[ReleaseThere]:
    found = []
    for directory in _entries(layout.releases):
        try:
            tag = Tag(directory.name)
        except FairwayError:
            continue
        name, images = _manifest(directory / "release.json")
        found.append(ReleaseThere(tag, name, images, _size(directory)))
    return found


def _manifest(path: Path) -> tuple[str | None, tuple[str, ...]]:
    """Return a release's name and images; no name when its manifest cannot be read, an empty one when it has none."""
    try:
        named = NamedRelease.read(path.read_bytes())
    except FileNotFoundError:
        return "", ()  # a crash came in between: nothing can be done with what is left
    except FairwayError:
        return None, ()
    return str(named.name), tuple(familiar(image.reference) for image in (named.release.app, named.release.migrator))


def _deployments(layout: Layout) -> list[DeploymentThere]:
    found = []
    for directory in _entries(layout.deployments):
        try:
            identity = deployment_id(directory.name)
        except FairwayError:
            continue
        journal = directory / "journal.jsonl"
        # Without a journal it was never accepted, so nothing was begun.
        ended = not journal.exists() or has_ended(read_journal(journal))
        found.append(DeploymentThere(identity, ended, () if ended else _tags(layout, identity), _size(directory)))
    return found


def _tags(layout: Layout, identity: str) -> tuple[str, ...]:
    request = read_request(layout, identity)
    before = (request.before.active, request.before.previous)
    return (request.tag, *(occupant.tag for occupant in before if occupant))


def _engines(layout: Layout) -> list[EngineThere]:
    current = (layout.engines / "current").resolve()
    ours = os.access(layout.engines, os.W_OK)
    return [
        EngineThere(path.name, path.resolve() == current or _runs(path), path.stat().st_size, ours)
        for path in _entries(layout.engines)
        if _ENGINE.fullmatch(path.name)
    ]


def _runs(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except FileNotFoundError:
        return []


def _size(directory: Path) -> int:
    return sum(path.lstat().st_size for path in directory.rglob("*"))
