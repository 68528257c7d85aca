"""What is the backup's own fault and what is the host's, and what becomes of a disk that a restore fills."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fairway.engine.backups import drill, gauge
from fairway.engine.backups.checking import Unsound, refuse_altered, refuse_unreadable, verify
from fairway.engine.backups.gauge import watched
from fairway.engine.backups.postgres import Command, Postgres
from fairway.engine.backups.store import Backup, Store
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Digest
from fairway.engine.layout import Layout
from tests.unit.engine.test_backups import BACKUP

SAYS = "cat >/dev/null; echo '{said}' >&2; exit {code}"
BAD = "pg_restore: error: could not read from input file: end of file"


class Programs(Postgres):
    """Programs that do what a script says: which one, by the first word of its arguments."""

    def __init__(self, reading: str = "cat >/dev/null", loading: str = "cat >/dev/null", free: str = "") -> None:
        self.reading, self.loading, self.free = reading, loading, free

    def command(self, program: str, arguments: Sequence[str] = (), *, database: str = "", session: str = "") -> Command:
        script = self.reading if "--file=/dev/null" in arguments else self.loading
        return Command(["sh", "-c", script], dict(os.environ))

    def gauge(self) -> Command | None:
        return Command(["sh", "-c", f"while read -r _; do {self.free}; done"], dict(os.environ)) if self.free else None


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One backup of three bytes."""
    found = Store(Layout(tmp_path))
    found.directory.mkdir(parents=True)
    found.part(BACKUP.id).write_bytes(b"abc")
    found.keep(BACKUP)
    return found


def _read(store: Store, postgres: Postgres, backup: Backup = BACKUP) -> None:
    refuse_unreadable(store, backup, postgres, None, {}, report=print, check=lambda: None)


@pytest.mark.parametrize(
    ("said", "code", "unsound"),
    [
        (BAD, 1, True),
        ("pg_restore: error: input file does not appear to be a valid archive", 1, True),
        ("pg_restore: error: out of memory", 1, False),
        ("pg_restore: error: unsupported version (1.17) in file header", 1, False),
        ("Error response from daemon: container 1f is not running", 1, False),
        ("Error response from daemon: no such container", 125, False),
        ("", 137, False),
    ],
)
def test_only_what_pg_restore_cannot_read_is_unsound(store: Store, said: str, code: int, unsound: bool) -> None:
    with pytest.raises(Failed) as failed:
        _read(store, Programs(SAYS.format(said=said, code=code)))
    assert isinstance(failed.value, Unsound) is unsound
    assert said in failed.value.why


def test_a_pg_restore_that_is_too_old_is_told_with_what_to_do(store: Store) -> None:
    with pytest.raises(Failed, match="of a newer pg_dump than the pg_restore here") as failed:
        verify(
            store,
            BACKUP,
            Programs(SAYS.format(said="pg_restore: error: unsupported version (1.17) in file header", code=1)),
            None,
            {},
            report=print,
            check=lambda: None,
        )
    assert "backup.client_image" in failed.value.hint


def test_a_file_that_is_not_what_was_written_is_unsound(store: Store) -> None:
    for other in (replace(BACKUP, size_bytes=4), replace(BACKUP, sha256=Digest.of(b"abd"))):
        with pytest.raises(Unsound, match="is damaged"):
            refuse_altered(store, other)
    store.path(BACKUP).unlink()
    with pytest.raises(Unsound, match="is damaged"):
        refuse_altered(store, BACKUP)


def test_whichever_bit_has_flipped_in_a_file_it_is_unsound(store: Store) -> None:
    content = bytes(range(256)) * 2
    whole = replace(BACKUP, size_bytes=len(content), sha256=Digest.of(content))
    path = store.path(whole)
    path.write_bytes(content)
    refuse_altered(store, whole)
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            path.write_bytes(flipped)
            with pytest.raises(Unsound):
                refuse_altered(store, whole)


def test_a_backup_that_the_retention_took_meanwhile_is_not_called_damaged(store: Store) -> None:
    store.remove(BACKUP)
    with pytest.raises(Failed, match="was removed meanwhile") as checked:
        refuse_altered(store, BACKUP)
    with pytest.raises(Failed, match="was removed meanwhile") as read:
        _read(store, Programs())
    assert not isinstance(checked.value, Unsound)
    assert not isinstance(read.value, Unsound)


@pytest.mark.parametrize(("reading", "unsound"), [("cat >/dev/null", False), (SAYS.format(said=BAD, code=1), True)])
def test_a_drill_blames_the_backup_only_when_it_cannot_even_be_read(
    store: Store, monkeypatch: pytest.MonkeyPatch, reading: str, unsound: bool
) -> None:
    class Trial(Programs):
        def __enter__(self) -> Trial:
            return self

        def __exit__(self, *about: object) -> None:
            pass

        def ask(self, sql: str, *rest: object, **options: object) -> list[str]:
            return ["170002"]

        def free_bytes(self) -> int | None:
            return None

    loading = SAYS.format(said="pg_restore: error: server closed the connection unexpectedly", code=1)
    monkeypatch.setattr(drill, "scratch", lambda *about: Trial(reading, loading))
    monkeypatch.setattr(drill, "image_for", lambda database: "postgres:17")
    with pytest.raises(Failed) as failed:
        drill.drill(store, BACKUP, Programs(), None, {}, name="x", report=print, check=lambda: None)
    assert isinstance(failed.value, Unsound) is unsound


def test_a_restore_ends_before_its_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "_ASK_EVERY_S", 0.0)
    enough, little = (f"echo overlay 9000000 1 {free_kib} 50% /var" for free_kib in (600 * 1024, 500 * 1024))

    def look_until_it_says(free: str, times: int) -> None:
        with watched(Programs(free=free), lambda: None) as check:
            for _ in range(times):
                check()

    look_until_it_says(enough, 200)
    with pytest.raises(Failed, match="ended before it filled the disk") as failed:
        look_until_it_says(little, 10_000_000)
    assert "500 MiB are left" in failed.value.why


def test_a_disk_that_cannot_be_asked_stops_nothing() -> None:
    looks: list[int] = []
    for postgres in (Programs(), Programs(free="exit 1"), Programs(free="echo df: not found")):
        with watched(postgres, lambda: looks.append(1)) as check:
            for _ in range(50):
                check()
    assert len(looks) == 150
