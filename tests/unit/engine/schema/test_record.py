"""What each tool's own tables say, read as the migrations of a release."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.manifest import Migrations, MigratorKind
from fairway.engine.schema.known import Known
from fairway.engine.schema.record import parse_told, read_record
from fairway.engine.schema.tables import lines_of, parse_tables, rows_of
from tests.unit.engine.schema.shipped import migrations, prisma, rows, table

ALEMBIC, DJANGO, PRISMA, SQL = MigratorKind.ALEMBIC, MigratorKind.DJANGO, MigratorKind.PRISMA, MigratorKind.SQL
LINE = migrations(ALEMBIC, "a", "b", "c", "d")
FORKED = migrations(ALEMBIC, "a", "b", "c", "m", parents={"b": ("a",), "c": ("a",), "m": ("b", "c")})


@pytest.mark.parametrize(
    ("heads", "shipped", "applied"),
    [
        ([], LINE, ()),
        (["b"], LINE, ("a", "b")),
        (["d"], LINE, ("a", "b", "c", "d")),
        (["c"], FORKED, ("a", "c")),
        (["b", "c"], FORKED, ("a", "b", "c")),
        (["m"], FORKED, ("a", "b", "c", "m")),
        (["elsewhere"], LINE, ("elsewhere",)),
        (["b", "elsewhere"], LINE, ("a", "b", "elsewhere")),
    ],
)
def test_alembic_s_heads_stand_for_all_that_they_follow(
    heads: list[str], shipped: Migrations, applied: tuple[str, ...]
) -> None:
    found = read_record(ALEMBIC, [table("alembic_version", *rows("version_num", heads))], Known([shipped]))
    assert tuple(sorted(found.applied)) == tuple(sorted(applied))
    assert not found.failed


def test_a_release_that_goes_round_in_circles_ends_all_the_same() -> None:
    circle = migrations(ALEMBIC, "a", "b", parents={"a": ("b",), "b": ("a",)})
    found = read_record(ALEMBIC, [table("alembic_version", *rows("version_num", ["a"]))], Known([circle]))
    assert set(found.applied) == {"a", "b"}


@pytest.mark.parametrize(
    ("there", "applied", "failed", "in_flight"),
    [
        ([], (), {}, ()),
        ([prisma("1", "applied"), prisma("2", "applied", 1)], ("1", "2"), {}, ()),
        ([prisma("2", "applied", 9), prisma("1", "applied", 1)], ("1", "2"), {}, ()),
        ([prisma("1", "failed")], (), {"1": "ERROR: relation exists"}, ()),
        ([prisma("1", "begun")], (), {}, ("1",)),
        ([prisma("1", "rolled back")], (), {}, ()),
        ([prisma("1", "rolled back"), prisma("1", "applied", 1)], ("1",), {}, ()),
        ([prisma("1", "rolled back"), prisma("1", "failed", 1)], (), {"1": "ERROR: relation exists"}, ()),
    ],
)
def test_prisma_s_rows_are_applied_failed_or_in_flight(
    there: list[dict[str, Any]], applied: tuple[str, ...], failed: dict[str, str], in_flight: tuple[str, ...]
) -> None:
    found = read_record(PRISMA, [table("_prisma_migrations", *there)], Known([]))
    assert (found.applied, dict(found.failed), found.in_flight) == (applied, failed, in_flight)


def test_of_django_s_rows_those_of_other_packages_do_not_count() -> None:
    there = [{"id": 2, "app": "plan", "name": "0001_initial"}, {"id": 1, "app": "auth", "name": "0001_initial"}]
    known = Known([migrations(DJANGO, "plan.0001_initial")])
    assert read_record(DJANGO, [table("django_migrations", *there)], known).applied == ("plan.0001_initial",)


FLYWAY = "flyway_schema_history"


def _flyway(rank: int, version: str | None, kind: str = "SQL", *, success: bool = True) -> dict[str, Any]:
    return {"installed_rank": rank, "version": version, "type": kind, "success": success, "description": "add it"}


@pytest.mark.parametrize(
    ("name", "there", "applied", "failed"),
    [
        ("schema_migrations", rows("version", ["20240102", "20240101"]), ("20240101", "20240102"), {}),
        ("schema_migrations", [{"version": 2, "dirty": False}], ("0001", "0002"), {}),
        ("schema_migrations", [{"version": 2, "dirty": True}], ("0001",), {"0002"}),
        ("schema_migrations", [{"version": 9, "dirty": False}], ("0001", "0002", "0003", "9"), {}),
        ("schema_migrations", [], (), {}),
        (FLYWAY, [_flyway(1, "2"), _flyway(0, "1")], ("0001", "0002"), {}),
        (FLYWAY, [_flyway(0, "1"), _flyway(1, "2", success=False)], ("0001",), {"0002"}),
        (FLYWAY, [_flyway(0, None, "SCHEMA"), _flyway(1, "2", "BASELINE"), _flyway(2, None)], ("0001", "0002"), {}),
        (FLYWAY, [_flyway(0, "1"), _flyway(1, "2"), _flyway(2, "2", "UNDO_SQL")], ("0001",), {}),
        (FLYWAY, [_flyway(0, "1.2")], ("1.2",), {}),
        ("goose_db_version", [], (), {}),
        (
            "goose_db_version",
            [
                {"id": 1, "version_id": 0, "is_applied": True},
                {"id": 2, "version_id": 1, "is_applied": True},
                {"id": 3, "version_id": 2, "is_applied": True},
                {"id": 4, "version_id": 2, "is_applied": False},
            ],
            ("0001",),
            {},
        ),
        ("gorp_migrations", rows("id", ["0002_b.sql", "0001_a.sql"]), ("0001", "0002"), {}),
    ],
)
def test_the_tables_of_sql_tools_are_told_apart(
    name: str, there: list[dict[str, Any]], applied: tuple[str, ...], failed: set[str]
) -> None:
    known = Known([migrations(SQL, "0001", "0002", "0003")])
    found = read_record(SQL, [table(name, *there)], known)
    assert (found.applied, set(found.failed)) == (applied, set(failed))


def test_two_tools_for_sql_are_one_too_many() -> None:
    with pytest.raises(Failed, match="which of them counts"):
        read_record(SQL, [table(FLYWAY), table("schema_migrations")], Known([]))


@pytest.mark.parametrize("kind", [ALEMBIC, DJANGO, PRISMA, SQL])
def test_an_empty_database_has_nothing_applied(kind: MigratorKind) -> None:
    assert read_record(kind, [], Known([LINE])).applied == ()


def test_of_several_tables_the_one_on_the_search_path_counts_and_none_is_guessed() -> None:
    hidden = table("alembic_version", *rows("version_num", ["x"]), schema="a.b", visible=False)
    seen = table("alembic_version", *rows("version_num", ["y"]))
    assert rows_of([hidden, seen], "alembic_version") == seen.rows
    assert rows_of([hidden], "alembic_version") == hidden.rows
    with pytest.raises(Failed, match="several tables"):
        rows_of([hidden, table("alembic_version", schema="c", visible=False)], "alembic_version")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True))
def test_any_name_survives_the_way_out_of_the_database(names: list[str]) -> None:
    there = [{**prisma(name, "applied", at), "migration_name": name} for at, name in enumerate(names[:60])]
    line = json.dumps({"table": "_prisma_migrations", "schema": 'a"b', "visible": True, "rows": there})
    found = parse_tables([line])
    assert set(read_record(PRISMA, found, Known([])).applied) == set(names[:60])
    assert len(lines_of(found)) == len(there)


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", '{"table": "x", "schema": "y", "visible": true, "rows": [1]}', "ERROR"]
)
def test_what_is_no_table_is_not_taken_for_an_empty_one(line: str) -> None:
    with pytest.raises(Failed):
        parse_tables([line])


def test_a_status_command_is_believed_in_its_own_words_only() -> None:
    found = parse_told('{"applied": ["1", "2"], "failed": ["3"], "in_flight": []}\n')
    assert (found.applied, list(found.failed), found.in_flight) == (("1", "2"), ["3"], ())


@pytest.mark.parametrize(
    "said",
    [
        "",
        "done",
        "[]",
        '{"applied": []}',
        '{"applied": [], "failed": [], "in_flight": [], "more": 1}',
        '{"applied": [1], "failed": [], "in_flight": []}',
        '{"applied": ["a\\n"], "failed": [], "in_flight": []}',
        '{"applied": [""], "failed": [], "in_flight": []}',
        '{"applied": [], "applied": [], "failed": [], "in_flight": []}',
        'loading\n{"applied": [], "failed": [], "in_flight": []}',
    ],
)
def test_a_status_command_that_says_anything_else_is_refused(said: str) -> None:
    with pytest.raises(Failed):
        parse_told(said)
