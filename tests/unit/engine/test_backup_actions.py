"""A backup beside deployments: who waits for whom, and what comes of one that fails."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fairway.engine.backups import actions, recording, snapshot
from fairway.engine.backups.flow import program
from fairway.engine.backups.postgres import Command
from fairway.engine.backups.snapshot import Facts, Moment, take_moment
from fairway.engine.backups.store import Backup, Reason, Store
from fairway.engine.contract.errors import Cancelled, Failed
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock, holder
from tests.unit.engine.test_backups import BACKUP
from tests.unit.engine.test_restoring import Server

HOST = HostConfig("shop", "staging", "3000", "haproxy:3.0", False)


def _create(layout: Layout, wait_s: float = 0.0) -> dict[str, object]:
    return actions.create_backup(layout, HOST, by="ada", reason=Reason.MANUAL, wait_s=wait_s, notice=lambda line: None)


def _store_is_free(layout: Layout) -> bool:
    return holder(layout.backups / "lock") is None


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a backup without a database."""

    def take(layout: Layout, host: HostConfig, store: Store, *rest: object) -> Backup:
        assert not _store_is_free(layout)
        store.part(BACKUP.id).write_bytes(b"abc")
        store.keep(BACKUP)
        return BACKUP

    monkeypatch.setattr(actions, "_take", take)


@pytest.mark.usefixtures("taken")
def test_a_backup_that_waits_for_a_deployment_leaves_the_store_to_it(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = Lock.acquire(layout.lock, by="bob", purpose="deploy sha-1")
    free: list[bool] = []

    def sleep(seconds: float) -> None:
        free.append(_store_is_free(layout))
        if len(free) == 2:
            deployment.release()

    monkeypatch.setattr("fairway.engine.clock.sleep", sleep)
    _create(layout, wait_s=60)
    assert free == [True, True]


@pytest.mark.usefixtures("taken")
def test_a_deployment_that_begins_while_the_store_is_waited_for_goes_first(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout.backups.mkdir(exist_ok=True)
    store = Lock.acquire(layout.backups / "lock", by="bob", purpose="backup")
    held: list[Lock] = []
    free: list[bool] = []

    def sleep(seconds: float) -> None:
        if not held:
            held.append(Lock.acquire(layout.lock, by="bob", purpose="deploy sha-1"))
            store.release()
        else:
            free.append(_store_is_free(layout))
            held[0].release()

    monkeypatch.setattr("fairway.engine.clock.sleep", sleep)
    _create(layout, wait_s=60)
    assert free == [True]


def test_a_failure_is_put_on_record_while_the_store_is_free(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(*args: object) -> Backup:
        raise OSError("nothing can be written there")

    def append(*args: object, **facts: object) -> None:
        free.append(_store_is_free(layout))

    free: list[bool] = []
    monkeypatch.setattr(actions, "_take", take)
    monkeypatch.setattr(recording, "append", append)
    with pytest.raises(Failed, match="could not be taken") as failed:
        _create(layout)
    assert failed.value.why == "nothing can be written there"
    assert free == [True]


def test_a_failure_that_is_not_on_record_says_so(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(*args: object) -> Backup:
        deployment.append(Lock.acquire(layout.lock, by="bob", purpose="deploy sha-1"))
        raise Failed("the database could not be dumped", why="it is down")

    deployment: list[Lock] = []
    monkeypatch.setattr(actions, "_take", take)
    monkeypatch.setattr(recording, "_PATIENCE_S", 0.0)
    with pytest.raises(Failed) as failed:
        _create(layout)
    deployment[0].release()
    assert failed.value.why.startswith("it is down; it is not on the record")
    assert Ledger(layout.ledger).newest(10) == []


class Gone(Server):
    """A psql that ends before anything was asked."""

    def command(self, *args: object, **options: object) -> Command:
        return Command([sys.executable, "-c", "import sys; sys.exit('the server closed the connection')"], {})


class Silent(Server):
    """A psql whose server accepts the connection and says nothing."""

    def command(self, *args: object, **options: object) -> Command:
        return Command([sys.executable, "-c", "import sys; sys.stdin.read(); sys.stdin.close()"], {})


def test_a_database_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_ANSWER_S", 0.0)
    with pytest.raises(Failed, match="does not answer"), take_moment(Silent(), "fairway-backup", lambda: None):
        pass


def test_whoever_cancels_does_not_wait_for_the_database() -> None:
    def cancelled() -> None:
        raise Cancelled("somebody asked for it to stop")

    with pytest.raises(Cancelled), take_moment(Silent(), "fairway-backup", cancelled):
        pass


def test_a_session_that_is_lost_is_told_by_what_psql_said() -> None:
    with pytest.raises(Failed) as failed, take_moment(Gone(), "fairway-backup", lambda: None):
        pass
    assert failed.value.why == "the server closed the connection"
    facts = Facts("0", "shop", 170000, 170000, 1, 1)
    with program(Gone().command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        running.process.wait()
        moment = Moment(running, Gone(), facts)
        moment.count()
        with pytest.raises(Failed, match="could not be counted") as failed:
            moment.counted(lambda: None)
    assert failed.value.why == "the server closed the connection"
