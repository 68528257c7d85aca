"""Where copies of secrets may still lie in an application's database, as a release names the places.

The names come with the release, whose exact bytes the host's policy has let in, and never with the
request to look or to clear: so whoever holds a deploy key can have nothing cleared but what a
release that serves says is a leftover.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields

MAX_TABLES = 20
MAX_NAMES = 100

# PostgreSQL cuts a longer identifier off, and would then mean another one. They are always quoted: case counts.
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
_TABLE = re.compile(rf"(?:{_IDENTIFIER.pattern}\.)?{_IDENTIFIER.pattern}")
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}")


@dataclass(frozen=True)
class Leftovers:
    """One table, in one of two shapes: a row for each of ``keys``, or a column for each of ``columns``.

    ``key_column`` and ``value_column`` are those of the first shape, None in the second.
    """

    table: str
    key_column: str | None
    value_column: str | None
    keys: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What a person calls the secrets by."""
        return self.keys or self.columns

    @property
    def schema(self) -> str:
        """The table's schema, empty where the database's search path says it."""
        return self.table.rpartition(".")[0]

    @property
    def bare_table(self) -> str:
        """The table's name without its schema."""
        return self.table.rpartition(".")[2]

    def as_json(self) -> dict[str, Any]:
        """Return it as ``release.json`` has it."""
        return {**vars(self), "keys": list(self.keys), "columns": list(self.columns)}

    @classmethod
    def parse(cls, fields: Fields) -> Leftovers:
        """Read one place strictly. Raises ``Invalid``."""
        found = cls(
            table=fields.parsed("table", table_name),
            key_column=fields.nullable("key_column", lambda: fields.parsed("key_column", column_name)),
            value_column=fields.nullable("value_column", lambda: fields.parsed("value_column", column_name)),
            keys=tuple(key_name(key) for key in fields.texts("keys", max_items=MAX_NAMES)),
            columns=tuple(column_name(column) for column in fields.texts("columns", max_items=MAX_NAMES)),
        )
        fields.end()
        if problem := shape_problem(found):
            raise Invalid(f"release.json.leftovers: {problem}")
        return found


def parse_leftovers(items: tuple[Fields, ...]) -> tuple[Leftovers, ...]:
    """Read all of them. Raises ``Invalid`` also for a table that is there twice."""
    found = tuple(Leftovers.parse(item) for item in items)
    if len({one.table for one in found}) < len(found):
        raise Invalid("release.json.leftovers: a table is there twice")
    return found


def shape_problem(found: Leftovers) -> str:
    """Say why it has neither of the two shapes, or nothing when it has one of them."""
    if found.columns:
        if found.keys or found.key_column or found.value_column:
            return f"{found.table} has columns: it needs no keys, key_column and value_column"
    elif not found.keys or not found.key_column or not found.value_column:
        return f"{found.table} needs keys, key_column and value_column, or columns"
    elif found.key_column == found.value_column:
        return f"{found.table} has one column for key and value"
    if len(set(found.names)) < len(found.names):
        return f"{found.table} names a secret twice"
    return ""


def table_name(value: str) -> str:
    """Check a table's name, as the database has it, with its schema before a dot or without."""
    if not _TABLE.fullmatch(value):
        raise Invalid(f"not a table's name: {value[:100]!r}", why="letters, digits, '_' and '$', one dot at most")
    return value


def column_name(value: str) -> str:
    """Check a column's name, as the database has it."""
    if not _IDENTIFIER.fullmatch(value):
        raise Invalid(f"not a column's name: {value[:100]!r}", why="letters, digits, '_' and '$'")
    return value


def key_name(value: str) -> str:
    """Check the name of a secret, as it stands in the key column."""
    if not _KEY.fullmatch(value):
        raise Invalid(f"not a secret's name: {value[:100]!r}", why="letters, digits, '_', '.', ':', '/' and '-'")
    return value
