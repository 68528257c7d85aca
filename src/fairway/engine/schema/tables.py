"""The tables in which migration tools keep their record, as they come out of the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairway.engine.contract.errors import Failed, Invalid
from fairway.engine.contract.fields import Fields, parse_json

Row = Mapping[str, Any]

ALEMBIC = "alembic_version"
PRISMA = "_prisma_migrations"
DJANGO = "django_migrations"
FLYWAY = "flyway_schema_history"
#: Of golang-migrate, dbmate and Rails alike; the columns tell them apart.
VERSIONS = "schema_migrations"
GOOSE = "goose_db_version"
#: Of sql-migrate.
GORP = "gorp_migrations"
SQL_TOOLS = (FLYWAY, VERSIONS, GOOSE, GORP)
_NAMES = (ALEMBIC, PRISMA, DJANGO, *SQL_TOOLS)

# One call for all of them, wherever they lie: psql runs each statement that the first one makes.
# As JSON, since a migration's name may hold anything that a line or a column would be told apart by.
QUERY = """\
SELECT format('SELECT jsonb_build_object(''table'', %L::text, ''schema'', %L::text, ''visible'', %L::boolean, '
              '''rows'', coalesce(jsonb_agg(to_jsonb(fairway_row)), ''[]''))::text FROM %I.%I AS fairway_row',
              c.relname, n.nspname, pg_table_is_visible(c.oid), n.nspname, c.relname)
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
   AND c.relname IN ('alembic_version', '_prisma_migrations', 'django_migrations', 'flyway_schema_history',
                     'schema_migrations', 'goose_db_version', 'gorp_migrations')
 ORDER BY n.nspname, c.relname \\gexec
"""


@dataclass(frozen=True)
class Table:
    """One table: in which schema it lies, and whether a session finds it without naming that."""

    name: str
    schema: str
    visible: bool
    rows: Sequence[Row]


def parse_tables(lines: Iterable[str]) -> tuple[Table, ...]:
    """Read what :data:`QUERY` answers, a table a line. Raises ``Failed`` when that is something else."""
    try:
        return tuple(_table(line) for line in lines)
    except Invalid as error:
        raise Failed("the database's record of its migrations cannot be read", why=error.what) from None


def _table(line: str) -> Table:
    document = parse_json(line, "a table of migrations")
    rows = document.pop("rows", None) if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid("a table of migrations without its rows")
    fields = Fields(document, "a table of migrations")
    table = Table(fields.text("table"), fields.text("schema"), fields.boolean("visible"), tuple(rows))
    fields.end()
    return table


def rows_of(tables: Iterable[Table], name: str) -> Sequence[Row] | None:
    """Return the rows of one tool's table, None when there is none.

    Raises ``Failed`` when several schemas have one and the search path names none of them.
    """
    found = [table for table in tables if table.name == name]
    chosen = [table for table in found if table.visible] or found
    if len(chosen) > 1:
        raise Failed(
            f"the database has several tables {name}",
            why=f"in the schemas {', '.join(table.schema for table in chosen)}; which one counts cannot be told",
            hint="set the search_path of the database's user to the schema that the application uses",
        )
    return chosen[0].rows if chosen else None


def lines_of(tables: Iterable[Table]) -> tuple[str, ...]:
    """Return what is on record as applied, in the order of each tool: ``alembic 0006``.

    Alembic keeps only its heads, golang-migrate only the newest version.
    """
    lines: list[str] = []
    found = sorted(tables, key=lambda table: (_NAMES.index(table.name) if table.name in _NAMES else 0, table.schema))
    for table in found:
        lines += [f"{tool} {name}" for tool, name in _applied(table)]
    return tuple(lines)


def _applied(table: Table) -> list[tuple[str, str]]:
    if table.name == ALEMBIC:
        return [("alembic", name) for name in sorted(text(row, "version_num") for row in table.rows)]
    if table.name == PRISMA:
        return [("prisma", text(row, "migration_name")) for row in by(table.rows, "started_at") if is_applied(row)]
    if table.name == DJANGO:
        return [("django", f"{text(row, 'app')}.{text(row, 'name')}") for row in by(table.rows, "id")]
    if table.name == FLYWAY:
        done = [row for row in by(table.rows, "installed_rank") if row.get("success") and row.get("version")]
        return [("sql", text(row, "version")) for row in done]
    if table.name == GOOSE:
        return [("sql", version) for version in goose_versions(table.rows)]
    column = "id" if table.name == GORP else "version"
    return [("sql", name) for name in sorted(text(row, column) for row in table.rows)]


def goose_versions(rows: Iterable[Row]) -> list[str]:
    """Return the versions that goose has applied: it adds a row each way, and begins with a version 0."""
    newest = {text(row, "version_id"): row.get("is_applied") is True for row in by(rows, "id")}
    return [version for version, applied in newest.items() if applied and version != "0"]


def is_applied(row: Row) -> bool:
    """Say whether a row of Prisma's is of a migration that was applied and not marked as rolled back."""
    return row.get("finished_at") is not None and row.get("rolled_back_at") is None


def by(rows: Iterable[Row], column: str) -> list[Row]:
    """Return rows in the order of a column, of numbers or of times."""
    return sorted(rows, key=lambda row: (isinstance(row.get(column), str), row.get(column) or 0))


def text(row: Row, column: str) -> str:
    """Return a column as the text that a release's manifest would have for it; empty for none."""
    value = row.get(column)
    return "" if value is None else str(value)
