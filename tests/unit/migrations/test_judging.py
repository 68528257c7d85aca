"""Verdicts are held against what a live PostgreSQL said, and against text that wants to hide something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.migrations import Verdict, judge_sql, worst
from fairway.migrations.rules import RULES
from scripts import verdicts
from scripts.tables import rewritten
from tests.corpus.cases import Case, load, load_truth

CASES = load()
TRUTH = load_truth()
CONTRACTS = [case.sql for case in CASES if case.expect is Verdict.CONTRACT and case.sql.isascii()]


def test_the_truth_of_every_case_was_derived_as_it_stands() -> None:
    assert {case.name: case.digest for case in CASES} == {name: one.digest for name, one in TRUTH.items()}, (
        "run: scripts/with-docker.sh .venv/bin/python -m scripts.verdicts --derive"
    )


@pytest.mark.parametrize("case", [case for case in CASES if not case.limit], ids=lambda case: case.name)
def test_nothing_that_breaks_the_previous_release_is_expand(case: Case) -> None:
    verdict = verdicts.judged(case)
    assert verdict is case.expect, judge_sql(case.sql)
    assert TRUTH[case.name].runs_on or verdict is not Verdict.EXPAND, TRUTH[case.name].why


def test_the_limits_that_the_docs_tell_are_real() -> None:
    limits = [case for case in CASES if case.limit]
    assert [
        case.name for case in limits if TRUTH[case.name].runs_on or verdicts.judged(case) is not Verdict.EXPAND
    ] == []


def test_the_tables_of_the_docs_are_the_corpus_own() -> None:
    page = verdicts.PAGE.read_text(encoding="utf-8")
    assert rewritten(page, verdicts.render()) == page, "run: make docs"


def test_the_names_of_the_rules_are_unique_and_what_is_not_safe_has_a_safe_way() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert [rule.id for rule in RULES if (rule.verdict is Verdict.EXPAND) == bool(rule.safe_way)] == []


def test_a_judgement_tells_where_its_statement_starts() -> None:
    text = "-- é: a comment; with a semicolon\n\n/* and\nm */ ALTER TABLE a ADD b text;\n-- x\nDROP\nTABLE a; SELECT 1"
    found = judge_sql(text, lines_from=11)
    assert [(one.line, one.statement) for one in found] == [
        (14, "ALTER TABLE a ADD b text"),
        (16, "DROP TABLE a"),
        (17, "SELECT 1"),
    ]


def test_a_text_without_a_statement_has_no_verdict() -> None:
    assert judge_sql(" \n-- DROP TABLE users\n;;/* */") == ()
    assert worst([]) is Verdict.EXPAND


@pytest.mark.parametrize(
    "text, line, why",
    [
        ("SELECT 1;\n\\i other.sql", 2, "a line for psql"),
        ("SELECT 1;\nSELECT 1;\0 DROP TABLE users", 2, "NUL"),
        ("SELEC 1", 1, "syntax error"),
        ("SELECT '\ud800'", 1, "not valid Unicode"),
        ("SELECT " + "(" * 20_000 + "1" + ")" * 20_000, 1, "too deeply"),
        ("SELECT 1" + " + 1" * 100_000, 1, "too deeply"),
        ("SELECT 1" + "::int" * 100_000, 1, "too deeply"),
        (" UNION ".join(["SELECT 1"] * 100_000), 1, "too deeply"),
        ("SELECT 1" + " + f(1, 2)" * 50_000, 1, "too deeply"),
        ("SELECT " + "(SELECT " * 60 + "1" + ")" * 60, 1, "too deeply"),
        ("UPDATE a SET b = :value", 1, "syntax error"),
        ("COPY a FROM stdin;\n1\t2\n\\.\n", 2, "syntax error"),
    ],
)
def test_a_text_that_cannot_be_read_is_one_review_that_says_why(text: str, line: int, why: str) -> None:
    (found,) = judge_sql(text)
    assert (found.verdict, found.rule, found.line) == (Verdict.REVIEW, "unreadable", line)
    assert why in found.reason


@pytest.mark.parametrize(
    ("sql", "verdict"),
    [
        # Of one ALTER TABLE, PostgreSQL drops first, wherever that stands.
        ("ALTER TABLE users ADD COLUMN name text, DROP COLUMN name", Verdict.CONTRACT),
        ("ALTER TABLE users ADD COLUMN extra text, ADD COLUMN more text", Verdict.EXPAND),
        ("SET lock_timeout = 0", Verdict.REVIEW),
        ("SET LOCAL lock_timeout TO '0'", Verdict.REVIEW),
        ("SET statement_timeout = '0s'", Verdict.REVIEW),
        ("SET statement_timeout = '0.4 ms'", Verdict.REVIEW),
        ("SET statement_timeout = '300us'", Verdict.REVIEW),
        ("SET statement_timeout = '0x0'", Verdict.REVIEW),
        ("SET lock_timeout = '10min'", Verdict.REVIEW),
        ("SET lock_timeout = 60001", Verdict.REVIEW),
        ("SET lock_timeout = '1min'", Verdict.EXPAND),
        ("SET statement_timeout = '2h'", Verdict.REVIEW),
        ("SET statement_timeout = '30min'", Verdict.EXPAND),
        ("SET LOCAL lock_timeout FROM CURRENT", Verdict.REVIEW),
        ("SET lock_timeout TO DEFAULT", Verdict.EXPAND),
        ("SET application_name = 'psql'", Verdict.REVIEW),
        ("SET statement_timeout = 5000", Verdict.EXPAND),
        ("SET LOCAL statement_timeout = '1.5 min'", Verdict.EXPAND),
        ("SET work_mem = 0", Verdict.EXPAND),
        ("ALTER SEQUENCE s OWNED BY NONE", Verdict.EXPAND),
        ("ALTER SEQUENCE s OWNED BY users.id", Verdict.REVIEW),
        ("ALTER SEQUENCE s", Verdict.REVIEW),
    ],
)
def test_what_looks_like_something_harmless_is_not_taken_for_it(sql: str, verdict: Verdict) -> None:
    assert worst(one.verdict for one in judge_sql(sql)) is verdict


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SET lock_timeout = 0", "lifts-limit"),
        ("SET LOCAL statement_timeout = '1d'", "lifts-limit"),
        ("SELECT set_config('lock_timeout', '0', true)", "lifts-limit"),
        ("SELECT pg_catalog.SET_CONFIG('Lock_Timeout', '0', true)", "lifts-limit"),
        ("SELECT set_config(name, '0', true) FROM pg_settings", "lifts-limit"),
        ("INSERT INTO log (line) SELECT set_config('statement_timeout', '0', false)", "lifts-limit"),
        ("SELECT set_config('lock_timeout', '3s', true)", "calls-function"),
        ("SELECT set_config('search_path', 'side', true)", "calls-function"),
        ("SET search_path = side", "other-setting"),
    ],
)
def test_a_migration_that_lifts_its_own_limits_is_for_a_person_who_is_told_why(sql: str, rule: str) -> None:
    (one,) = judge_sql(sql)
    assert (one.verdict, one.rule) == (Verdict.REVIEW, rule)


def test_many_rows_are_no_deep_expression() -> None:
    rows = ", ".join(f"({n}, 'name'::text, ARRAY[1, 2])" for n in range(20_000))
    assert worst(
        one.verdict for one in judge_sql(f"CREATE TABLE t (a int, b text, c int[]); INSERT INTO t VALUES {rows}")
    ) is (Verdict.EXPAND)


@given(st.text())
def test_any_text_has_a_verdict(text: str) -> None:
    for one in judge_sql(text):
        assert one.line >= 1
        assert len(one.statement) <= 200
        assert one.statement.isprintable()


_WORDS = st.sampled_from(
    [
        "ALTER",
        "TABLE",
        "ADD",
        "COLUMN",
        "DROP",
        "users",
        "name",
        "text",
        "NOT",
        "NULL",
        "DEFAULT",
        "1",
        "now()",
        "(",
        ")",
        ",",
        ";",
        "CREATE",
        "INDEX",
        "ON",
        "UNIQUE",
        "CHECK",
        "REFERENCES",
        "CASCADE",
        "SET",
        "TYPE",
        "UPDATE",
        "INSERT",
        "INTO",
        "VALUES",
        "SELECT",
        "FROM",
        "DELETE",
        "WITH",
        "AS",
        "VIEW",
        "TO",
        "RENAME",
        "CONSTRAINT",
        "FOREIGN",
        "KEY",
        "PRIMARY",
        "ONLY",
        "IF",
        "EXISTS",
        "GENERATED",
        "ALWAYS",
        "IDENTITY",
        "PARTITION",
        "OF",
        "FOR",
        "USING",
        "WHERE",
        "=",
        "'x'",
        '"y"',
        "a.b",
        "GRANT",
        "REVOKE",
        "BEGIN",
        "COMMIT",
        "$$",
        "--",
        "/*",
        "*/",
        "\n",
    ]
)


@given(st.lists(_WORDS, max_size=30))
def test_any_words_of_sql_have_a_verdict(words: list[str]) -> None:
    judge_sql(" ".join(words))


_HARMLESS = st.sampled_from(
    [
        "ALTER TABLE users ADD COLUMN bio_ text",
        "CREATE TABLE new_table (id integer)",
        "SET lock_timeout = '5s'",
        "COMMENT ON TABLE users IS 'it''s; --'",
        "COMMENT ON TABLE users IS $x$ /* $x$",
        "COMMENT ON TABLE users IS E'\\'--'",
        "CREATE INDEX ON users (name)",
        "SELECT 1",
        "",
    ]
)
_SPACE = st.sampled_from([" ", "\n", "\t", "\r\n", " /* ; */ ", "/* /* nested -- */ ' */", " -- '; /*\n", "\f"])


@st.composite
def _surrounded(draw: st.DrawFn) -> str:
    statements = draw(st.lists(_HARMLESS, max_size=4))
    contract = draw(st.sampled_from(CONTRACTS))
    statements.insert(draw(st.integers(0, len(statements))), contract)
    space = draw(_SPACE)
    return f"{space};{space}".join(statements) + draw(st.sampled_from(["", ";", "\n;;", " -- end"]))


@given(_surrounded())
def test_a_contract_is_found_whatever_is_around_it(text: str) -> None:
    assert worst(one.verdict for one in judge_sql(text)) is not Verdict.EXPAND, text


_PLAIN = [
    ("DROP", "TABLE", "settings"),
    ("ALTER", "TABLE", "users", "DROP", "COLUMN", "name"),
    ("ALTER", "TABLE", "users", "RENAME", "name", "TO", "other"),
    ("ALTER", "TABLE", "ONLY", "users", "ALTER", "name", "SET", "NOT", "NULL"),
    ("ALTER", "TABLE", "users", "ADD", "UNIQUE", "(", "name", ")"),
    ("CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", "i", "ON", "users", "(", "name", ")"),
    ("DELETE", "FROM", "users"),
    ("TRUNCATE", "users"),
    ("UPDATE", "users", "SET", "name", "=", "NULL"),
    ("WITH", "x", "AS", "(", "DELETE", "FROM", "users", "RETURNING", "name", ")", "SELECT", "name", "FROM", "x"),
]


@given(st.data())
def test_case_quotes_comments_and_blanks_hide_nothing(data: st.DataObject) -> None:
    text = ""
    for word in data.draw(st.sampled_from(_PLAIN)):
        named = word in ("settings", "users", "name")
        cased = "".join(char.upper() if data.draw(st.booleans()) else char.lower() for char in word)
        shown = data.draw(st.sampled_from([cased, f'"{word}"', f'U&"{word}"'])) if named else cased
        text += shown + data.draw(_SPACE)
    assert worst(one.verdict for one in judge_sql(text)) is Verdict.CONTRACT, text
