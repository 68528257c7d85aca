"""Find copies of secrets that the application's database still has, and empty them.

Names and counts leave the database, and nothing else: no statement here selects a value, or its
length, and of an error only its SQLSTATE is asked for, because PostgreSQL's own words may quote a
row. The SQL is constant but for numbers; what a release names reaches it as psql variables, which
psql quotes: ``:'name'`` as a literal, ``:"name"`` as an identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairway.engine.contract.errors import Failed, FairwayError, Invalid, Refused
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.leftovers import MAX_NAMES, MAX_TABLES, Leftovers, column_name, key_name, table_name
from fairway.engine.contract.protocol import Outcome
from fairway.engine.database import Database
from fairway.engine.process import Completed

_CLEAR_PATIENCE_S = 120.0

_BEGIN = "\\set VERBOSITY sqlstate\n"
# A status asks, too: it does not wait behind a migration, nor count a table of millions.
_LIMITS = "SET lock_timeout = '2s';\nSET statement_timeout = '10s';\n"
_TABLE = """\
SELECT count(*) AS there, max(n.nspname::text) AS schema, max(c.relname::text) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p')
   AND c.oid = to_regclass(CASE WHEN :'t{t}_in' = '' THEN format('%I', :'t{t}_table')
                                ELSE format('%I.%I', :'t{t}_in', :'t{t}_table') END)
\\gset t{t}_
\\if :t{t}_there
"""
_COLUMN = """\
SELECT count(*) AS there, coalesce(bool_or(a.attnotnull), false) AS needed,
       CASE WHEN max(a.atttypid::regtype::text) IN ('json', 'jsonb') THEN 'null' ELSE '' END AS blank
  FROM pg_attribute a
 WHERE a.attrelid = format('%I.%I', :'t{t}_schema', :'t{t}_name')::regclass
   AND a.attname = :'t{t}_c{c}' AND a.attnum > 0 AND NOT a.attisdropped
\\gset t{t}_c{c}_
"""
_NO_TABLE = "\\else\nSELECT 'missing {t}';\n{gone}\\endif\n"
_NO_COLUMN = "\\else\nSELECT 'missing {t} {c}';\n{gone}\\endif\n"
# Something was expected in what is not there (any more).
_GONE = """\
SELECT :'t{t}_n{k}' <> '0' AS gone \\gset t{t}_k{k}_
\\if :t{t}_k{k}_gone
  \\set wrong 1
\\endif
"""
# An empty text, and what means nothing in JSON.
_FILLED = """:"t{t}_c{c}" IS NOT NULL AND :"t{t}_c{c}"::text NOT IN ('', '""', 'null')"""
_OF_KEY = """ AND :"t{t}_c0"::text = :'t{t}_k{k}'"""
_FROM = """:"t{t}_schema".:"t{t}_name\""""
_COUNT = f"SELECT 'rows {{t}} {{k}} ' || count(*) FROM {_FROM} WHERE {_FILLED}{{where}};\n"  # noqa: S608 - all of it is constant
_EMPTY = f"""\
\\if :t{{t}}_c{{c}}_needed
WITH cleared AS (UPDATE {_FROM} SET :"t{{t}}_c{{c}}" = :'t{{t}}_c{{c}}_blank' WHERE {_FILLED}{{where}} RETURNING 1)
SELECT count(*) AS rows, count(*) <> :'t{{t}}_n{{k}}' AS differs FROM cleared \\gset t{{t}}_k{{k}}_
\\else
WITH cleared AS (UPDATE {_FROM} SET :"t{{t}}_c{{c}}" = NULL WHERE {_FILLED}{{where}} RETURNING 1)
SELECT count(*) AS rows, count(*) <> :'t{{t}}_n{{k}}' AS differs FROM cleared \\gset t{{t}}_k{{k}}_
\\endif
SELECT 'rows {{t}} {{k}} ' || :'t{{t}}_k{{k}}_rows';
\\if :t{{t}}_k{{k}}_differs
  \\set wrong 1
\\endif
"""  # noqa: S608 - all of it is constant
# The server's own log must not quote a row either, where this user may say so.
_TRANSACTION = """\
BEGIN;
SET LOCAL lock_timeout = '5s';
SET LOCAL statement_timeout = '60s';
SET LOCAL idle_in_transaction_session_timeout = '60s';
SELECT count(set_config('transaction_timeout', '60s', true)) AS limited
  FROM (SELECT current_setting('server_version_num')::int AS version) server WHERE version >= 170000 \\gset
SELECT count(set_config('log_error_verbosity', 'terse', true)) AS quiet
  FROM pg_roles WHERE rolname = current_user AND rolsuper \\gset
\\set wrong 0
"""
# Whoever asked has gone by then, and takes it for failed. PostgreSQL < 17 has no transaction_timeout.
_CONCLUDE = """\
SELECT clock_timestamp() > transaction_timestamp() + interval '60 seconds' AS late \\gset
\\if :late
ROLLBACK;
SELECT 'late';
\\elif :wrong
ROLLBACK;
SELECT 'refused';
\\else
COMMIT;
SELECT 'committed';
\\endif
"""
_SQLSTATES = {
    "23502": "a column does not take an empty value (not null)",
    "23514": "a check constraint does not take an empty value",
    "23503": "a foreign key does not take an empty value",
    "23505": "a unique constraint does not take an empty value",
    "22P02": "the column's type does not take an empty value",
    "42501": "the database's user may not do that",
    "55P03": "somebody else holds a lock on it",
    "57014": "a statement took too long",
    "25P03": "it took too long in all",
    "25P04": "it took too long in all",
}
_CODE = re.compile(r"(?:ERROR|FATAL):\s+([0-9A-Z]{5})\b")
# How psql ends at an error in a script; 2 is a connection that was lost.
_PSQL_STOPPED = 3
_ENDED_BY_LIMIT = ("25P03", "25P04")


class Uncertain(Failed):
    """It may have been done or not: the answer did not come."""


def outcome_of(error: FairwayError) -> Outcome:
    """Return how a clearing that raised this has ended, for the record."""
    return Outcome.UNKNOWN if isinstance(error, Uncertain) else Outcome.FAILED


@dataclass(frozen=True)
class Found:
    """How many rows hold a value of one secret."""

    table: str
    key: str
    rows: int

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return dict(vars(self))

    @classmethod
    def parse(cls, fields: Fields) -> Found:
        """Read what a client says was found. Raises ``Invalid``."""
        found = cls(
            fields.parsed("table", table_name),
            fields.parsed("key", _any_name),
            fields.integer("rows", maximum=2**31),
        )
        fields.end()
        return found


@dataclass(frozen=True)
class Scan:
    """What the database has: a count for every name, and in words which table or column is not there."""

    found: tuple[Found, ...]
    missing: tuple[str, ...]

    @property
    def left(self) -> tuple[Found, ...]:
        """Those of which there is something."""
        return tuple(one for one in self.found if one.rows)

    @property
    def rows(self) -> int:
        """How many values there are in all."""
        return sum(one.rows for one in self.found)

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {"found": [one.as_json() for one in self.found], "rows": self.rows, "missing": list(self.missing)}


def take_expected(fields: Fields, key: str) -> tuple[Found, ...]:
    """Take what a client saw in its scan out of its request. Raises ``Invalid``."""
    return tuple(Found.parse(item) for item in fields.objects(key, max_items=MAX_TABLES * MAX_NAMES))


def _any_name(value: str) -> str:
    try:
        return column_name(value)
    except Invalid:
        return key_name(value)


def scan(database: Database, places: Sequence[Leftovers]) -> Scan:
    """Count the values that are left. Raises ``Failed`` when the database does not answer."""
    done = database.execute(scan_script(places), variables_of(places))
    if done.returncode != 0:
        raise Failed("the leftovers could not be counted", why=_why(done.stderr), hint="see the database's own log")
    return read_scan(done.stdout, places)


def clear(database: Database, places: Sequence[Leftovers], expected: Sequence[Found]) -> tuple[Found, ...]:
    """Empty them in one transaction, which is rolled back when the counts are not the expected ones.

    Raises ``Refused`` then, ``Failed`` when the database does not take it, and ``Uncertain``
    when its answer did not come.
    """
    variables = {**variables_of(places), **_expected_variables(places, expected)}
    try:
        done = database.execute(clear_script(places), variables, timeout_s=_CLEAR_PATIENCE_S)
    except Failed as error:
        raise _uncertain(database, places, error.what) from None
    said = done.stdout.splitlines()
    ending = said[-1] if said else ""
    cleared = read_scan(done.stdout, places).found
    if ending == "committed":
        return cleared
    if ending == "late" or _is_refusal(done):
        raise Failed(
            "the leftovers were not cleared, nothing was changed",
            why=_why(done.stderr) if ending != "late" else "it took more than 60 s in all",
            hint="see what holds them with: fairway secrets scan <environment>",
        )
    if ending != "refused":
        raise _uncertain(database, places, _why(done.stderr))
    raise Refused(
        "the database has something else by now, nothing was changed",
        why="; ".join(_differences(cleared, expected)),
        hint="look again: fairway secrets scan <environment>",
    )


def _is_refusal(done: Completed) -> bool:
    """Say whether the script ended at an error of the database's, which has then taken none of it."""
    codes = _CODE.findall(done.stderr)
    return bool(codes) and (done.returncode == _PSQL_STOPPED or codes[-1] in _ENDED_BY_LIMIT)


def _uncertain(database: Database, places: Sequence[Leftovers], why: str) -> Uncertain:
    """Say that the end is not known, and how many values a scan sees now."""
    try:
        now = f"a scan afterwards found {scan(database, places).rows}"
    except FairwayError as error:
        now = f"a scan afterwards said: {error.what}"
    return Uncertain(
        "it is not known whether the leftovers were cleared",
        why=f"{why}; {now}",
        hint="look again in a minute, when nothing of it runs any more: fairway secrets scan <environment>",
    )


def refuse_unnamed(places: Iterable[Leftovers], expected: Iterable[Found]) -> None:
    """Raise ``Refused`` for a name that the release which serves does not have."""
    known = {(place.table, name) for place in places for name in place.names}
    for one in expected:
        if (one.table, one.key) not in known:
            raise Refused(
                f"{one.key} in {one.table} is no leftover by the release that serves here",
                why="what may be cleared comes with a release, never with a request",
                hint="name it in secrets.leftovers of fairway.toml, release and deploy",
            )


def scan_script(places: Sequence[Leftovers]) -> str:
    """Return the psql script that counts."""
    return _BEGIN + _LIMITS + "".join(_each(number, place, _COUNT, "") for number, place in enumerate(places))


def clear_script(places: Sequence[Leftovers]) -> str:
    """Return the psql script that empties, and keeps that only where every count is as expected."""
    return _BEGIN + _TRANSACTION + "".join(_each(n, place, _EMPTY, _GONE) for n, place in enumerate(places)) + _CONCLUDE


def _each(t: int, place: Leftovers, statement: str, gone: str) -> str:
    """Return a statement for every name of one table, behind the questions whether it and its columns are there.

    ``gone`` is what is done for every name where they are not.
    """

    def all_gone(names: Iterable[int]) -> str:
        return "".join(gone.format(t=t, k=k) for k in names)

    every = range(len(place.names))
    script = _TABLE.format(t=t)
    if place.columns:
        for c in range(len(place.columns)):
            script += _COLUMN.format(t=t, c=c) + f"\\if :t{t}_c{c}_there\n"
            script += statement.format(t=t, c=c, k=c, where="") + _NO_COLUMN.format(t=t, c=c, gone=all_gone([c]))
    else:
        for c in (0, 1):
            script += _COLUMN.format(t=t, c=c) + f"\\if :t{t}_c{c}_there\n"
        for k in range(len(place.keys)):
            script += statement.format(t=t, c=1, k=k, where=_OF_KEY.format(t=t, k=k))
        script += "".join(_NO_COLUMN.format(t=t, c=c, gone=all_gone(every)) for c in (1, 0))
    return script + _NO_TABLE.format(t=t, gone=all_gone(every))


def variables_of(places: Sequence[Leftovers]) -> dict[str, str]:
    """Return every name of the places as a variable of the scripts."""
    variables: dict[str, str] = {}
    for t, place in enumerate(places):
        variables |= {f"t{t}_in": place.schema, f"t{t}_table": place.bare_table}
        variables |= {f"t{t}_c{c}": column for c, column in enumerate(_columns(place))}
        variables |= {f"t{t}_k{k}": key for k, key in enumerate(place.keys)}
    return variables


def read_scan(said: str, places: Sequence[Leftovers]) -> Scan:
    """Read a script's answer."""
    rows: dict[tuple[int, int], int] = {}
    missing = []
    for line in said.splitlines():
        kind, *numbers = line.split()
        if kind == "rows":
            t, k, count = map(int, numbers)
            rows[t, k] = count
        elif kind == "missing":
            place = places[int(numbers[0])]
            column = f" has no column {_columns(place)[int(numbers[1])]}" if numbers[1:] else ""
            missing.append(f"the table {place.table}{column}" if column else f"there is no table {place.table}")
    found = (
        Found(place.table, name, rows.get((t, k), 0))
        for t, place in enumerate(places)
        for k, name in enumerate(place.names)
    )
    return Scan(tuple(found), tuple(missing))


def _columns(place: Leftovers) -> tuple[str, ...]:
    return place.columns or (place.key_column or "", place.value_column or "")


def _expected_variables(places: Sequence[Leftovers], expected: Sequence[Found]) -> Mapping[str, str]:
    counts = {(one.table, one.key): one.rows for one in expected}
    return {
        f"t{t}_n{k}": str(counts.get((place.table, name), 0))
        for t, place in enumerate(places)
        for k, name in enumerate(place.names)
    }


def _differences(found: Iterable[Found], expected: Iterable[Found]) -> Iterable[str]:
    counts = {(one.table, one.key): one.rows for one in expected}
    for one in found:
        before = counts.get((one.table, one.key), 0)
        if one.rows != before:
            yield f"{one.key} in {one.table}: {one.rows}, expected was {before}"


def _why(stderr: str) -> str:
    """Say what went wrong in words of our own: PostgreSQL's may quote a row."""
    codes = _CODE.findall(stderr)
    if not codes:
        return "the database's container did not answer"
    return f"{_SQLSTATES.get(codes[-1], 'the database refused it')} (SQLSTATE {codes[-1]})"
