"""What status warns of, what a drill finds, and where copies may go."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fairway.engine.backups import offsite, routine
from fairway.engine.backups.drill import refuse_full, refuse_other_rows
from fairway.engine.backups.offsite import Copied, Piece, Restic, copy_missing, place_of, tags_of, whole_copies
from fairway.engine.backups.schedule import Schedule
from fairway.engine.backups.scratch import run_scratch
from fairway.engine.backups.standing import Last, warnings
from fairway.engine.backups.upkeep import Offsite, Tool, Upkeep, target
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.hostconfig import HostConfig, read_host_config
from fairway.engine.layout import Layout
from fairway.engine.process import Completed
from fairway.engine.redact import Redactor
from tests.unit.engine.test_backup_retaining import backup

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
COPIES = Offsite(Tool.RESTIC, "sftp:backup@vault:/srv/shop", ".env.production", "RESTIC_PASSWORD", ("AWS_KEY",))
HOST = HostConfig(
    "shop",
    "production",
    "3000",
    "haproxy:3.0",
    True,
    upkeep=Upkeep(schedule=Schedule("daily"), drill=Schedule("weekly"), offsite=COPIES),
)
QUIET = {"backup": Last(), "drill": Last(), "backup-copy": Last()}


def entry(hours_ago: float, outcome: str = "succeeded", **facts: Any) -> dict[str, Any]:
    at = (NOW - timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    error = {} if outcome == "succeeded" else {"error": {"what": "it went wrong"}}
    return {"at": at, "outcome": outcome, **facts, **error}


def good(hours_ago: float, **facts: Any) -> Last:
    return Last(entry(hours_ago, **facts), entry(hours_ago, **facts))


def warned(host: HostConfig = HOST, newest: float | None = 2, oldest: float = 2000, **last: Last) -> list[str]:
    known = {"backup": good(2), "drill": good(48, restored=True), "backup_copy": good(1), **last}
    return warnings(
        host,
        newest=None if newest is None else NOW - timedelta(hours=newest),
        oldest=None if newest is None else NOW - timedelta(hours=oldest),
        last={**QUIET, **{key.replace("_", "-"): value for key, value in known.items()}},
        unscheduled=None,
        now=NOW,
    )


def test_nothing_is_said_where_all_is_as_it_should_be() -> None:
    assert warned() == []
    assert (
        warnings(replace(HOST, upkeep=Upkeep()), newest=None, oldest=None, last=QUIET, unscheduled=None, now=NOW) == []
    )


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({"newest": 40}, "a backup is overdue (daily): the last one is 40 hours old"),
        ({"newest": None, "backup": Last(), "drill": Last()}, "a backup is overdue (daily): there is none yet"),
        ({"backup": Last(entry(1, "failed"), entry(2))}, "the last backup failed: it went wrong"),
        ({"drill": Last(entry(1, "failed"), entry(2))}, "the last drill failed: it went wrong"),
        ({"drill": good(400, restored=True)}, "a drill is overdue (weekly): the last one is 17 days old"),
        ({"drill": Last()}, "a drill is overdue (weekly): there is none yet"),
        (
            {"drill": good(4, restored=False)},
            "the last drill checked the bytes only: the backup is encrypted, and no key was at hand",
        ),
        ({"backup_copy": Last(entry(1, "failed"), entry(2))}, "the last copy off the host failed: it went wrong"),
        ({"backup_copy": good(3)}, "the newest backup has no copy off the host: fairway backup copy <environment>"),
    ],
)
def test_each_thing_to_do_something_about_is_said_once(case: dict[str, Any], said: str) -> None:
    assert warned(**case) == [said]


def test_a_first_drill_is_not_overdue_before_there_was_something_to_try() -> None:
    assert warned(oldest=3, drill=Last()) == []


def test_rows_that_differ_fail_a_drill_by_name() -> None:
    refuse_other_rows("b", {"public.a": 1, "public.b": 0}, {"public.b": 0, "public.a": 1})
    with pytest.raises(Failed) as caught:
        refuse_other_rows("b", {"public.a": 1, "public.b": 2}, {"public.a": 3, "public.c": 0})
    assert caught.value.why == (
        "public.a: 3 rows, not 1 rows; public.b: no such table, not 2 rows; public.c: 0 rows, not no such table"
    )


def test_a_drill_that_would_fill_the_disk_is_not_begun() -> None:
    known = backup(0)
    refuse_full(known, None)
    needed = int(known.database_bytes * 1.5) + 2**30
    refuse_full(known, needed)
    with pytest.raises(Failed, match="no room for the drill"):
        refuse_full(known, needed - 1)


def test_the_scratch_server_has_no_network_and_is_limited() -> None:
    argv = run_scratch("fairway-shop-production-drill", "sha256:abc")
    assert {"--network=none", "--memory=1g", "--pids-limit=200", "--security-opt=no-new-privileges"} <= set(argv)
    assert not [word for word in argv if word.startswith(("--publish", "--volume", "--privileged"))]
    # The log of what is restored does not take as much again of a disk that may be the one that serves.
    assert {"wal_level=minimal", "max_wal_senders=0", "max_wal_size=256MB"} <= set(argv)


@pytest.mark.parametrize(
    "place",
    [
        "sftp:backup@vault:/srv/shop",
        "/mnt/copies",
        "s3:https://s3.example.com/shop",
        "rest:https://vault:8000/",
        "b2:x",
    ],
)
def test_where_copies_may_go(place: str) -> None:
    assert target(place) == place


@pytest.mark.parametrize(
    "place",
    [
        "-o/etc/passwd",
        "",
        "/mnt/a b",
        "/mnt/a\n",
        "rest:https://user:secret@vault/",
        ":sftp,host=vault,pass=abc:shop",
        ":s3,secret_access_key=abc:shop",
    ],
)
def test_a_place_that_is_an_option_or_holds_a_password_is_refused(place: str) -> None:
    with pytest.raises(Invalid) as caught:
        target(place)
    assert "secret@" not in str(caught.value)


def test_upkeep_survives_the_way_to_the_host_and_its_file(layout: Layout) -> None:
    assert Upkeep.parse(Fields(HOST.upkeep.as_json(), "x")) == HOST.upkeep
    HOST.write(layout.host_config)
    assert read_host_config(layout.host_config) == HOST


def test_a_tool_finds_what_it_needs_in_its_environment_and_nothing_else(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTIC_REPOSITORY", "somebody's")
    monkeypatch.setenv("SECRET_OF_SOMEBODY", "x")
    env_file = layout.deploy_path / ".env.production"
    env_file.write_text("RESTIC_PASSWORD=correct-horse\nOTHER=x\n")
    env_file.chmod(0o600)
    with pytest.raises(Invalid, match="lacks AWS_KEY"):
        place_of(layout, COPIES, "shop-production")
    env_file.write_text("RESTIC_PASSWORD=correct-horse\nAWS_KEY=abc\nOTHER=x\n")
    env: dict[str, str] = vars(place_of(layout, COPIES, "shop-production"))["_env"]
    wanted = {"RESTIC_REPOSITORY": COPIES.target, "RESTIC_PASSWORD": "correct-horse", "AWS_KEY": "abc"}
    assert {key: env.get(key) for key in wanted} == wanted
    assert not {"OTHER", "SECRET_OF_SOMEBODY"} & set(env)


class _Place:
    """A place that says yes to every copy and keeps only some, and beside which backups may be removed."""

    def __init__(self, loses: str = "", removes: tuple[Piece, str] | None = None) -> None:
        self.kept: list[str] = ["1"]
        self.loses = loses
        self.removes = removes

    def there(self, pieces: Sequence[Piece]) -> set[str]:
        return set(self.kept)

    def copy(self, piece: Piece) -> None:
        self._pass("copy")
        if not piece.here:
            raise Failed(f"{piece.id} could not be copied", why="no such file or directory")
        if piece.id != self.loses:
            self.kept.append(piece.id)

    def check(self, pieces: Sequence[Piece]) -> None:
        self._pass("check")
        if not all(piece.here for piece in pieces):
            raise Failed("a copy is not what the backup is", why="file not found")

    def _pass(self, moment: str) -> None:
        if self.removes is not None and self.removes[1] == moment:
            self.removes[0].metadata.unlink(missing_ok=True)


def _pieces(directory: Path) -> list[Piece]:
    found = [Piece(one, directory / f"{one}.dump", directory / f"{one}.json", 1) for one in ("3", "2", "1")]
    for piece in found:
        for file in piece.files:
            file.write_bytes(b"x")
    return found


def test_what_is_missing_is_copied_the_oldest_first_and_looked_for_again(tmp_path: Path) -> None:
    pieces = _pieces(tmp_path)
    assert copy_missing(_Place(), pieces) == Copied(("2", "3"), ("1", "2", "3"))
    with pytest.raises(Failed, match="no copy of 3 is there"):
        copy_missing(_Place(loses="3"), pieces)


@pytest.mark.parametrize(("gone", "moment"), [("2", "copy"), ("2", "check"), ("1", "copy"), ("1", "check")])
def test_what_the_retention_takes_while_it_is_copied_is_left_out(tmp_path: Path, gone: str, moment: str) -> None:
    pieces = _pieces(tmp_path)
    removed = next(piece for piece in pieces if piece.id == gone)
    assert "3" in copy_missing(_Place(removes=(removed, moment)), pieces).copied


def test_a_copy_that_cannot_be_made_is_told_where_the_backup_is_still_here(tmp_path: Path) -> None:
    class Full(_Place):
        def copy(self, piece: Piece) -> None:
            raise Failed("no room there")

    with pytest.raises(Failed, match="no room there"):
        copy_missing(Full(), _pieces(tmp_path))


def test_a_snapshot_is_a_copy_only_when_both_files_in_it_are_whole(tmp_path: Path) -> None:
    snapshots = json.dumps(
        [{"id": f"s{one}", "tags": ["fairway", one]} for one in ("1", "2", "3")] + [{"id": "s0", "tags": None}]
    )
    matches = {
        "s1": [("1.dump", 1), ("1.json", 9)],
        "s2": [("2.json", 9)],  # restic could not read the dump: exit code 3
        "s3": [("3.dump", 0), ("3.json", 9)],
        "s0": [("2.dump", 1), ("2.json", 9)],
    }
    found = json.dumps(
        [
            {"snapshot": name, "hits": len(files), "matches": [{"path": f"/b/{n}", "size": size} for n, size in files]}
            for name, files in matches.items()
        ]
    )
    assert whole_copies(_pieces(tmp_path), tags_of(snapshots), found) == {"1"}


def test_a_lock_that_a_killed_copy_has_left_is_taken_away_before_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    locks, asked = ["left by a killed one"], []

    def run(argv: Sequence[str], **named: object) -> Completed:
        asked.append(argv[1])
        if argv[1] == "unlock":
            locks.clear()
            return Completed(1, "", "an append-only repository may say no")
        return Completed(11 if locks else 0, "", "unable to create lock in backend")

    monkeypatch.setattr(offsite, "run", run)
    Restic("shop-production", {}, Redactor({})).check([])
    assert asked == ["unlock", "check"]


@pytest.fixture
def told_to_end() -> Iterator[list[int]]:
    """What came as SIGTERM and nobody took."""
    missed: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: missed.append(number))
    yield missed
    signal.signal(signal.SIGTERM, before)


def test_a_scheduled_drill_that_is_told_to_end_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told_to_end: list[int]
) -> None:
    cleaned: list[str] = []

    def try_backup(*rest: object, **named: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleaned.append("the drill's PostgreSQL")

    monkeypatch.setattr(routine, "try_backup", try_backup)
    monkeypatch.setattr(routine, "choose", lambda store, named: backup(0))
    with pytest.raises(SystemExit) as ended:
        routine.run_scheduled(Layout(tmp_path), HOST, "drill")
    assert (cleaned, told_to_end, ended.value.code) == (["the drill's PostgreSQL"], [], 128 + signal.SIGTERM)
