"""What housekeeping finds on a host, and what it does with it, with a Docker that has nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fairway.engine import housekeeping, inventory
from fairway.engine.contract.errors import Locked
from fairway.engine.contract.manifest import Release
from fairway.engine.contract.names import Digest, Slot, Tag
from fairway.engine.deployment import Action, Request
from fairway.engine.hostconfig import HostConfig, Retention
from fairway.engine.images import Image, User
from fairway.engine.journal import Journal
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock
from fairway.engine.state import State

HOST = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False, Retention(2, 2))
ENGINES = [f"fairway-engine-{digit * 16}.pyz" for digit in "abc"]


class _NoImages:
    """A Docker without an image or a container."""

    def __init__(self, layout: Layout) -> None:
        pass

    def images(self) -> list[Image]:
        return []

    def users(self) -> list[User]:
        return []


@pytest.fixture(autouse=True)
def _without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (inventory, housekeeping):
        monkeypatch.setattr(module, "ImageStore", _NoImages)


@pytest.fixture
def store(layout: Layout, release: Release) -> Callable[[str], Digest]:
    """Put a release where the host keeps them; return its name."""

    def put(commit: str) -> Digest:
        content = release.to_bytes().replace(release.tag.encode(), f"sha-{commit}".encode())
        directory = layout.release(Tag(f"sha-{commit}"))
        directory.mkdir(parents=True)
        (directory / "release.json").write_bytes(content)
        (directory / "bundle.tar.gz").write_bytes(b"x" * 100)
        return Digest.of(content)

    return put


def _deployment(layout: Layout, second: int, *, ended: bool, tag: str = "sha-4f4f4f4") -> str:
    identity = f"20260131-1200{second:02}-000000"
    release = Digest.of(b"")
    Request(identity, Action.DEPLOY, Tag(tag), release, Slot.BLUE, "ada", State(None, None)).write(layout)
    journal = Journal(layout.deployment(identity) / "journal.jsonl")
    journal.accepted(deployment=identity)
    if ended:
        journal.ended(outcome="succeeded")
    return identity


def test_what_is_beyond_the_retention_goes_and_is_on_record(layout: Layout, store: Callable[[str], Digest]) -> None:
    ledger = Ledger(layout.ledger)
    for commit in ("1" * 7, "2" * 7, "3" * 7):
        ledger.append(release=store(commit), tag=f"sha-{commit}", outcome="succeeded")
    deployments = [_deployment(layout, second, ended=True) for second in range(4)]
    removed = housekeeping.tidy(layout, HOST, by="ada")
    assert [path.name for path in sorted(layout.releases.iterdir())] == ["sha-2222222", "sha-3333333"]
    assert [path.name for path in sorted(layout.deployments.iterdir())] == deployments[2:]
    entry = ledger.entries()[-1]
    assert (entry["action"], entry["by"], entry["outcome"]) == ("prune", "ada", "succeeded")
    assert entry["removed"]["releases"] == ["sha-1111111"]
    assert entry["freed_bytes"] == removed.freed_bytes > 100
    assert not housekeeping.tidy(layout, HOST, by="ada").anything
    assert len(ledger.entries()) == 4


def test_a_deployment_that_has_not_ended_keeps_its_journal_and_its_release(
    layout: Layout, store: Callable[[str], Digest]
) -> None:
    store("1" * 7)
    first = _deployment(layout, 0, ended=False, tag="sha-1111111")
    for second in (1, 2, 3):
        _deployment(layout, second, ended=True)
    housekeeping.tidy(layout, HOST, by="ada")
    assert layout.deployment(first).exists()
    assert layout.release(Tag("sha-1111111")).exists()


def test_what_somebody_else_put_there_stays(layout: Layout) -> None:
    foreign = [layout.releases / "notes", layout.deployments / "notes", layout.engines / "notes.pyz"]
    for path in foreign:
        path.mkdir(parents=True)
    assert not housekeeping.tidy(layout, HOST, by="ada").anything
    assert all(path.exists() for path in foreign)


def test_a_release_that_a_crash_left_half_written_goes_and_one_that_cannot_be_read_stays(layout: Layout) -> None:
    half, newer = layout.release(Tag("sha-1111111")), layout.release(Tag("sha-2222222"))
    for directory in (half, newer):
        directory.mkdir(parents=True)
        (directory / "bundle.tar.gz").write_bytes(b"x")
    (newer / "release.json").write_text('{"format": 99}')
    housekeeping.tidy(layout, HOST, by="ada")
    assert (half.exists(), newer.exists()) == (False, True)


def test_old_engines_go_but_for_the_current_one_and_those_that_run(layout: Layout) -> None:
    for name in ENGINES:
        (layout.engines / name).write_bytes(b"engine")
    (layout.engines / "current").symlink_to(ENGINES[0])
    hold = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_SH); print(flush=True); input()"
    argv = [sys.executable, "-c", hold, str(layout.engines / ENGINES[1])]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        housekeeping.tidy(layout, HOST, by="ada")
        running.communicate(b"\n")
    assert sorted(path.name for path in layout.engines.iterdir()) == ["current", *ENGINES[:2]]


def test_housekeeping_never_waits_for_a_deployment(layout: Layout, store: Callable[[str], Digest]) -> None:
    store("1" * 7)
    lock = Lock.acquire(layout.lock, by="bob", purpose="deploy")
    with pytest.raises(Locked):
        housekeeping.tidy(layout, HOST, by="fairway")
    lock.release()
    assert layout.release(Tag("sha-1111111")).exists()


def test_what_cannot_be_removed_is_told_and_the_rest_goes(
    layout: Layout, store: Callable[[str], Digest], monkeypatch: pytest.MonkeyPatch
) -> None:
    store("1" * 7)
    store("2" * 7)
    remove = shutil.rmtree

    def refuse(path: Path) -> None:
        if path.name == "sha-1111111":
            raise OSError(13, "Permission denied", str(path))
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    removed = housekeeping.tidy(layout, HOST, by="ada")
    assert removed.as_json()["removed"]["releases"] == ["sha-2222222"]
    assert "Permission denied" in removed.problems[0]
