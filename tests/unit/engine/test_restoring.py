"""A restore that is lost at any moment: the next engine leaves one database in use, open, and nothing half done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from fairway.engine.backups import restoring
from fairway.engine.backups.postgres import Command, Postgres
from fairway.engine.backups.restoring import Names, Restore, names_for
from fairway.engine.backups.store import Backup, Store
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.layout import Layout
from tests.unit.engine.test_backups import BACKUP

NAMES = names_for("20260131-120000-000000", "app", by="ada", now="20260201-120000-000000")


class Lost(BaseException):
    """The engine is gone."""


class Server(Postgres):
    """Databases in memory, by name: what is in each, and whether it may be connected to."""

    def __init__(self) -> None:
        self.databases = {"postgres": "", "app": "the data in use"}
        self.closed: set[str] = set()
        self.lost_at: int | None = None
        self.asked = 0

    def command(self, program: str, arguments: Sequence[str] = (), *, database: str = "", session: str = "") -> Command:
        raise AssertionError("only SQL is asked here")

    def ask(
        self,
        sql: str,
        variables: Mapping[str, str] | None = None,
        *,
        database: str = "",
        timeout_s: float = 60.0,
    ) -> list[str]:
        self._pass_by()
        answer = self._answer(sql, dict(variables or {}))
        self._pass_by()
        return answer

    def _pass_by(self) -> None:
        if self.asked == self.lost_at:
            raise Lost
        self.asked += 1

    def _answer(self, sql: str, named: dict[str, str]) -> list[str]:
        if sql == restoring.CREATE:
            self.databases[named["new"]] = "the backup"
        elif sql == restoring._CLOSE:
            self.closed.add(named["database"])
        elif sql == restoring._OPEN:
            self.closed.discard(named["database"])
        elif sql == restoring._END:
            return ["t", "0"]
        elif sql == restoring._SWITCH:
            self.databases[named["old"]] = self.databases.pop(named["database"])
            self.databases[named["database"]] = self.databases.pop(named["new"])
            self.closed = {named["old"]}
        elif sql in (restoring._DROP, restoring._END_AND_DROP):
            self.databases.pop(named["name"], None)
        elif sql == restoring._DATABASES:
            return sorted(self.databases)
        return []


def _restore(server: Server, directory: Path) -> Restore:
    store = Store(Layout(directory))
    store.directory.mkdir(parents=True, exist_ok=True)
    return Restore(store, server, {}, lambda line: None)


def _go(restore: Restore, server: Server, names: Names) -> None:
    restore._write_down(names)
    restore._ask_about(restoring.CREATE, names)
    restore._switch(names)
    restore.forget()


def _moments(directory: Path) -> int:
    server = Server()
    _go(_restore(server, directory), server, NAMES)
    return server.asked


def test_a_restore_that_is_lost_at_any_moment_is_undone_or_was_done(tmp_path: Path) -> None:
    for lost_at in range(_moments(tmp_path / "whole")):
        server = Server()
        restore = _restore(server, tmp_path / str(lost_at))
        server.lost_at = lost_at
        with pytest.raises(Lost):
            _go(restore, server, NAMES)
        server.lost_at = None
        names = restore.pending()
        assert names == NAMES
        in_use = restore.settle(names)
        assert server.databases["app"] == ("the backup" if in_use else "the data in use")
        assert "app" not in server.closed
        assert NAMES.new not in server.databases
        assert (NAMES.old in server.databases) is in_use
        assert restore.pending() is None


@pytest.mark.parametrize(("losing", "in_use"), [(restoring._CLOSE, False), (restoring._SWITCH, True)])
def test_a_restore_that_came_to_its_end_counts_though_the_answer_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losing: str, in_use: bool
) -> None:
    server = Server()
    restore = _restore(server, tmp_path)
    server_ask = server.ask

    def ask(sql: str, variables: Mapping[str, str] | None = None, **rest: object) -> list[str]:
        if sql == restoring._ABOUT:
            return ["app", "170002"]
        answer = server_ask(sql, variables)
        if sql == losing:
            raise Failed("the database does not do what it was asked", why="unexpected EOF")
        return answer

    def load(backup: Backup, identity: str | None, names: Names) -> None:
        server_ask(restoring.CREATE, {"new": names.new})

    monkeypatch.setattr(server, "ask", ask)
    monkeypatch.setattr(restore, "_load", load)
    monkeypatch.setattr(restoring, "refuse_altered", lambda *args: None)
    with nullcontext() if in_use else pytest.raises(Failed):
        restore.run(BACKUP, None, by="ada", now="20260201-120000-000000")
    assert server.databases["app"] == ("the backup" if in_use else "the data in use")
    assert (restore.pending(), "app" in server.closed) == (None, False)


def test_only_a_database_that_a_restore_put_aside_can_be_dropped(tmp_path: Path) -> None:
    server = Server()
    server.databases[NAMES.old] = "before"
    restore = _restore(server, tmp_path)
    server_ask = server.ask

    def ask(sql: str, variables: Mapping[str, str] | None = None, **rest: object) -> list[str]:
        return ["app", "170002"] if sql == restoring._ABOUT else server_ask(sql, variables)

    server.ask = ask  # type: ignore[method-assign]
    assert restore.kept() == (NAMES.old,)
    for name in ("app", "postgres", NAMES.new):
        with pytest.raises(Invalid, match="is not a database that a restore has put aside"):
            restore.drop(name)
    restore.drop(NAMES.old)
    assert sorted(server.databases) == ["app", "postgres"]
