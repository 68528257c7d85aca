"""What is decided about backups: which stay, what a connection is, how databases are called, what a flow does."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fairway.engine.backups import space
from fairway.engine.backups.age import encrypting
from fairway.engine.backups.checking import refuse_newer_dump
from fairway.engine.backups.flow import program, pump
from fairway.engine.backups.postgres import Beside, Command, InContainer, connection_of
from fairway.engine.backups.restoring import is_kept, names_for
from fairway.engine.backups.snapshot import refuse_newer
from fairway.engine.backups.store import Backup, Reason, Store, backup_id
from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.hostconfig import Backups, External, recipient
from fairway.engine.layout import Layout

BACKUP = Backup(
    id="20260131-120000-000000",
    taken_at="2026-01-31T12:00:00.000Z",
    tag=Tag("sha-4f2a9c1"),
    database="capakraken",
    server_version=170002,
    database_bytes=8_000_000,
    size_bytes=3,
    sha256=Digest.of(b"abc"),
    encrypted_to=(),
    tables={"public.users": 3},
    reason=Reason.MANUAL,
)
AGE = "age1" + "q" * 58


def _keep(store: Store, backup: Backup) -> None:
    store.directory.mkdir(parents=True, exist_ok=True)
    store.part(backup.id).write_bytes(b"abc")
    store.keep(backup)


def test_a_backup_is_there_once_its_metadata_is_and_the_newest_comes_first(tmp_path: Path) -> None:
    store = Store(Layout(tmp_path))
    assert store.list() == ()
    later = replace(BACKUP, id="20260201-120000-000000", encrypted_to=(AGE,), tag=None, tables=None)
    _keep(store, BACKUP)
    _keep(store, later)
    assert store.list() == (later, BACKUP)
    assert store.path(later).name == "20260201-120000-000000.dump.age"
    store.remove(BACKUP)
    assert [path.name for path in sorted(store.directory.iterdir())] == [f"{later.id}.dump.age", f"{later.id}.json"]


def test_a_sweep_takes_what_has_no_metadata_and_nothing_that_is_somebody_s(tmp_path: Path) -> None:
    store = Store(Layout(tmp_path))
    _keep(store, BACKUP)
    left = ("20260101-000000-000000.dump", "20260101-000000-000000.part", "20260102-000000-000000.dump.age")
    for name in (*left, "notes.txt", "before-the-move.dump"):
        (store.directory / name).touch()
    assert store.sweep() == left
    assert {path.name for path in store.directory.iterdir()} == {
        "notes.txt",
        "before-the-move.dump",
        f"{BACKUP.id}.dump",
        f"{BACKUP.id}.json",
    }


def test_metadata_that_cannot_be_read_is_told_and_keeps_its_dump(tmp_path: Path) -> None:
    store = Store(Layout(tmp_path))
    _keep(store, BACKUP)
    store.metadata(BACKUP.id).write_text("{")
    assert (store.list(), store.unreadable(), store.sweep()) == ((), (BACKUP.id,), ())


def test_metadata_under_another_backup_s_name_is_told_and_touches_neither(tmp_path: Path) -> None:
    store = Store(Layout(tmp_path))
    _keep(store, BACKUP)
    copied = "20260131-130000-000000"
    store.metadata(copied).write_bytes(store.metadata(BACKUP.id).read_bytes())
    assert (store.list(), store.unreadable()) == ((BACKUP,), (copied,))
    with pytest.raises(Invalid, match="of another backup"):
        store.read(copied)


def test_a_list_has_of_the_tables_their_number_and_their_rows_in_all() -> None:
    row = replace(BACKUP, tables={"public.users": 3, "public.bookings": 4}).as_row()
    assert (row["id"], row["tables"], row["rows"]) == (BACKUP.id, 2, 7)
    uncounted = replace(BACKUP, tables=None).as_row()
    assert (uncounted["tables"], uncounted["rows"]) == (None, None)


def test_metadata_comes_back_as_it_was_written() -> None:
    assert Backup.parse(Fields(BACKUP.as_json(), "backup")) == BACKUP
    with pytest.raises(Invalid, match="tables"):
        Backup.parse(Fields({**BACKUP.as_json(), "tables": {"public.users": True}}, "backup"))


@pytest.mark.parametrize("name", ["", "../20260131-120000-000000", "20260131-120000-000000.dump", "latest"])
def test_no_id_is_a_path(name: str) -> None:
    with pytest.raises(Invalid):
        backup_id(name)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (
            "postgresql://ada:s%40crt@db.example.com:6432/cap%2Fa?schema=public&sslmode=require",
            {
                "PGHOST": "db.example.com",
                "PGPORT": "6432",
                "PGUSER": "ada",
                "PGPASSWORD": "s@crt",
                "PGDATABASE": "cap/a",
                "PGSSLMODE": "require",
            },
        ),
        ("postgres://db/app", {"PGHOST": "db", "PGDATABASE": "app"}),
        ("postgresql+psycopg://u@[::1]/app", {"PGHOST": "::1", "PGUSER": "u", "PGDATABASE": "app"}),
        ("postgresql:///app?host=/run/postgresql", {"PGHOST": "/run/postgresql", "PGDATABASE": "app"}),
    ],
)
def test_a_url_is_read_as_libpq_reads_it(url: str, wanted: dict[str, str]) -> None:
    assert connection_of({"DATABASE_URL": url}, "DATABASE_URL") == wanted


@pytest.mark.parametrize("url", ["", "mysql://secret@db/app", "postgresql://secret@db", "postgresql://secret@db:x/app"])
def test_what_is_no_url_of_a_database_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        connection_of({"DATABASE_URL": url}, "DATABASE_URL")
    assert "secret" not in str(refused.value)


def test_a_connection_to_a_database_elsewhere_is_kept_alive_by_the_program_that_has_it() -> None:
    beside = Beside("postgres:18", "net", {"PGHOST": "db", "PGDATABASE": "app"}, {})
    alive = "--dbname=keepalives_idle=30 keepalives_interval=10 keepalives_count=6"
    assert beside.command("pg_dump").argv[-1] == alive
    # It has the last word on where to connect, and leaves the name to the environment.
    loading = beside.command("pg_restore", ["--dbname=other"], database="other")
    assert (loading.argv[-2:], loading.env["PGDATABASE"]) == (["--dbname=other", alive], "other")
    assert alive not in beside.command("pg_restore", ["--file=/dev/null"]).argv


def test_docker_keeps_no_log_of_what_a_client_beside_the_database_says() -> None:
    # A dump goes through its standard output: with the default driver all of it would lie on the disk in plain.
    argv = Beside("postgres:18", "net", {"PGHOST": "db"}, {}).command("pg_dump").argv
    assert argv[argv.index("--log-driver") + 1] == "none"
    assert argv.index("--log-driver") < argv.index("postgres:18")


def test_the_pg_keys_stand_beside_each_other() -> None:
    settings = {"PGHOST": "db", "PGPASSWORD": "x", "PGPORT": "", "OTHER": "y"}
    assert connection_of(settings, "PGHOST") == {"PGHOST": "db", "PGPASSWORD": "x"}


def test_no_password_is_an_argument() -> None:
    secret = "hunter2-hunter2"
    beside = Beside("postgres:18", "net", {"PGHOST": "db", "PGPASSWORD": secret}, {"PATH": "/bin"})
    command = beside.command("pg_dump", ["--format=custom"], database="other")
    assert secret not in " ".join(command.argv)
    assert (command.env["PGPASSWORD"], command.env["PGDATABASE"]) == (secret, "other")
    assert beside.clean(f"FATAL: {secret}") == "FATAL: [redacted]"
    inside = InContainer("db-1", {"PATH": "/bin"}).command("pg_dump")
    assert inside.env == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            (
                'pg_restore: error: COPY failed for table "settings": ERROR:  duplicate key value violates "s_key"\n'
                "DETAIL:  Key (value)=(hunter2) already exists.\nCONTEXT:  COPY settings, line 3\n"
                "pg_restore: warning: errors ignored on restore: 1"
            ),
            "pg_restore: warning: errors ignored",
        ),
        (
            (
                'pg_restore: error: COPY failed: ERROR:  invalid input syntax for type integer: "hunter2"\n'
                'CONTEXT:  COPY t, line 1, column n: "hunter2\nhunter2"'
            ),
            "invalid input syntax for type integer: [not shown]",
        ),
        (
            (
                'ERROR:  new row violates check constraint "c"\nDETAIL:  Failing row contains (1, hunter2\nhunter2).\n'
                "HINT:  look"
            ),
            "HINT:  look",
        ),
        (
            'ERROR:  database "app" is being accessed by other users\nDETAIL:  There are 2 other sessions.',
            "DETAIL:  There are 2 other sessions.",
        ),
    ],
)
def test_what_postgresql_quotes_of_a_row_is_in_no_error(said: str, shown: str) -> None:
    cleaned = InContainer("db-1", {}).clean(said)
    assert "hunter2" not in cleaned
    assert shown in cleaned


@pytest.mark.parametrize("database", ["app", "a" * 63, "ü" * 31])
def test_the_databases_of_a_restore_have_names_that_postgresql_keeps_whole(database: str) -> None:
    names = names_for(BACKUP.id, database, by="ada", now="20260201-000000-000000")
    assert len({database, names.new, names.old}) == 3
    assert all(len(name.encode()) <= 63 for name in (names.new, names.old))
    assert is_kept(names.old, database)
    assert not is_kept(names.new, database)
    assert not is_kept(database, database)
    assert not is_kept("other_before_20260201_000000_000000", "app")


@pytest.mark.parametrize(
    ("server", "client", "fit"), [(170002, 170009, True), (160001, 180000, True), (180000, 170002, False)]
)
def test_an_older_pg_dump_is_told_before_it_fails(server: int, client: int, fit: bool) -> None:
    if fit:
        refuse_newer(server, client)
        return
    with pytest.raises(Failed, match="the server is PostgreSQL 18, pg_dump is 17"):
        refuse_newer(server, client)


def test_a_dump_of_a_newer_server_is_not_loaded_into_an_older_one() -> None:
    refuse_newer_dump(BACKUP, 170000)
    with pytest.raises(Failed, match="is of PostgreSQL 17, this server is 16"):
        refuse_newer_dump(BACKUP, 160009)


def test_room_is_judged_by_the_last_dump_and_without_one_by_the_database() -> None:
    gib = 2**30
    assert space.expected_bytes(3 * gib, ()) == gib
    known = replace(BACKUP, database_bytes=gib, size_bytes=gib // 10)
    assert space.expected_bytes(2 * gib, (known,)) == pytest.approx(0.25 * gib, rel=0.01)
    assert (space.reserve_bytes(1000 * gib), space.reserve_bytes(20 * 2**20)) == (256 * 2**20, 2**20)


def test_a_dump_that_cannot_fit_is_refused_before_it_is_begun(tmp_path: Path) -> None:
    space.refuse_full(tmp_path, 0)
    with pytest.raises(Failed, match="there is no room"):
        space.refuse_full(tmp_path, 2**60)


@pytest.mark.parametrize("text", ["AGE-SECRET-KEY-1" + "Q" * 58, "age1", "ssh-dss AAAA", "x\nage1" + "q" * 58, "-r"])
def test_what_is_no_public_key_is_no_recipient_and_a_secret_one_is_not_shown(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        recipient(text)
    assert "Q" * 5 not in str(refused.value)


def test_a_host_s_backups_come_back_as_they_were_written() -> None:
    whole = Backups(3, (AGE,), False, External("DATABASE_URL", ".env.production", "postgres:17"))
    document = {
        "keep": 3,
        "recipients": [AGE],
        "before_migrations": False,
        "external": {"url_key": "DATABASE_URL", "env_file": ".env.production", "client_image": "postgres:17"},
    }
    assert Backups.parse(Fields(document, "backups")) == whole


def test_bytes_flow_to_every_sink_and_a_check_that_raises_ends_the_program() -> None:
    environment = dict(os.environ)
    seen: list[bytes] = []
    with program(Command(["head", "-c", "3000000", "/dev/zero"], environment), stdout=subprocess.PIPE) as zeros:
        total = pump(zeros.stdout, [seen.append, lambda chunk: None], told="x", report=print, check=lambda: None)
        assert (total, sum(map(len, seen)), zeros.finish()) == (3_000_000, 3_000_000, 0)

    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    def run() -> None:
        with program(Command(["yes"], environment), stdout=subprocess.PIPE) as endless:
            started.append(endless.process)
            pump(endless.stdout, [], told="x", report=print, check=stop)

    started: list[subprocess.Popen[bytes]] = []
    with pytest.raises(Stop):
        run()
    assert started[0].returncode is not None


def test_a_program_that_ended_early_is_told_by_its_exit_code() -> None:
    with program(Command(["sh", "-c", "echo no >&2; exit 3"], dict(os.environ)), stdin=subprocess.PIPE) as short:
        for _ in range(100):
            short.write(b"x" * 100_000)
        assert (short.finish(), short.said()) == (3, "no\n")


def _saying(script: str) -> Command:
    return Command(["sh", "-c", script], dict(os.environ))


def test_a_line_is_waited_for_no_longer_than_said_and_what_stands_after_it_is_not_lost() -> None:
    def never() -> None:
        pass

    with program(_saying("printf 'one\\ntwo\\nthr'; exec sleep 60"), stdout=subprocess.PIPE) as slow:
        assert [slow.read_line(never, timeout_s=10) for _ in range(2)] == [b"one\n", b"two\n"]
        with pytest.raises(TimeoutError):
            slow.read_line(never, timeout_s=0)
        slow.process.kill()
        assert slow.read_all(never) == b"thr"


def test_whoever_waits_for_a_line_or_an_end_can_be_told_to_stop() -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with program(_saying("exec sleep 60"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as endless:
        with pytest.raises(Stop):
            endless.read_line(stop, timeout_s=60)
        with pytest.raises(Stop):
            endless.read_all(stop)
        with pytest.raises(Stop):
            endless.finish(stop)


def test_only_whole_lines_are_taken_of_what_was_said_by_now() -> None:
    with program(
        _saying("printf 'one\\ntw'; read -r _; echo o"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as half:
        assert half.read_line(lambda: None, timeout_s=10) == b"one\n"
        assert half.lines_by_now() == []
        half.finish()
        assert (half.lines_by_now(), half.lines_by_now()) == ([b"two"], [])


def test_only_public_keys_are_arguments_of_age() -> None:
    assert encrypting((AGE,), {}).argv == ["age", "--encrypt", "--recipient", AGE]
