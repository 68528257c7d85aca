"""What is decided of statements that read or write rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fairway.migrations import expressions, rules
from fairway.migrations.made import Made
from fairway.migrations.rules import Rule
from fairway.migrations.tables import Finding
from fairway.migrations.trees import inner, label, nodes, relation

_WRITES = frozenset(("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"))


def select(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a SELECT: only constants are sure to be read without anything being run."""
    yield from _writes(tree, made)
    if any(kind == "IntoClause" for kind, _ in nodes(tree)):
        yield Finding(rules.NOT_LISTED)
    elif any(kind in ("RangeVar", "RangeFunction") for kind, _ in nodes(tree)) or not _calls_nothing(tree):
        yield Finding(rules.CALLS)
    else:
        yield Finding(rules.CONSTANT_SELECT)


def write(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge an INSERT, UPDATE, DELETE or MERGE, and those within it."""
    yield from _writes(tree, made)


def create_table_as(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge CREATE TABLE AS and CREATE MATERIALIZED VIEW, which run a query."""
    yield from _writes(tree.query, made)
    name = relation(tree.into.rel)
    if name[0] not in ("", "public"):
        yield Finding(rules.OTHER_SCHEMA, f'schema "{name[0]}"')
    if inner(tree.query)[0] != "select_stmt" or not expressions.changes_nothing(tree.query):
        yield Finding(rules.CALLS)
    view = label(tree, "objtype") == "OBJECT_MATVIEW"
    if not tree.if_not_exists and label(tree.into, "on_commit") in ("ONCOMMIT_NOOP", ""):
        if view:
            made.others[name] = "OBJECT_MATVIEW"
        else:
            made.tables[name] = {}
    yield Finding(rules.CREATE_OBJECT if view else rules.CREATE_TABLE)


def truncate(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a TRUNCATE; with CASCADE it may reach any table."""
    names = [relation(node.range_var) for node in tree.relations]
    free = all(name in made.tables for name in names) and label(tree, "behavior") != "DROP_CASCADE"
    yield Finding(rules.NEW_OBJECT if free else rules.DELETE_ROWS)


def _writes(tree: Any, made: Made) -> Iterator[Finding]:
    for kind, node in nodes(tree):
        if kind in _WRITES:
            yield Finding(_write(kind, node, made), f'table "{node.relation.relname}"')


def _write(kind: str, node: Any, made: Made) -> Rule:
    table = relation(node.relation)
    if table in made.tables and kind != "MergeStmt":
        nested = sum(name in _WRITES for name, _ in nodes(node)) > 1
        return rules.NEW_OBJECT if nested or _reads_only(node) else rules.CALLS
    if kind == "InsertStmt":
        changes = node.HasField("on_conflict_clause") and "UPDATE" in label(node.on_conflict_clause, "action")
        return rules.CHANGE_ROWS if changes else rules.INSERT_ROWS
    if kind == "DeleteStmt":
        return rules.DELETE_ROWS
    if kind == "UpdateStmt":
        columns = [target.res_target.name for target in node.target_list]
        return rules.BACKFILL if all((table, name) in made.columns for name in columns) else rules.CHANGE_ROWS
    actions = {label(action.merge_when_clause, "command_type") for action in node.merge_when_clauses}
    return rules.MERGE if table in made.tables or actions <= {"CMD_INSERT", "CMD_NOTHING"} else rules.CHANGE_ROWS


def _reads_only(node: Any) -> bool:
    return all(expressions.changes_nothing(child) for child in _children(node))


def _children(node: Any) -> Iterator[Any]:
    for field, value in node.ListFields():
        if field.message_type is not None:
            yield from value if not hasattr(value, "ListFields") else (value,)


def _calls_nothing(tree: Any) -> bool:
    return expressions.changes_nothing(tree) and not any(
        kind == "FuncCall" and node.funcname[-1].string.sval in ("nextval", "generate_series")
        for kind, node in nodes(tree)
    )
