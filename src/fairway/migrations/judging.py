"""The verdict on each statement of a migration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fairway.migrations import data, objects, rules, tables
from fairway.migrations.judgement import GRAVITY, Judgement
from fairway.migrations.made import Made
from fairway.migrations.reading import Statement, Unreadable, one_line, read
from fairway.migrations.tables import Finding
from fairway.migrations.trees import label

#: The closed list: a kind of statement that is not here is a REVIEW.
_JUDGES: Mapping[str, Callable[[Any, Made], Iterator[Finding]]] = {
    "create_stmt": tables.create_table,
    "alter_table_stmt": tables.alter_table,
    "create_table_as_stmt": data.create_table_as,
    "select_stmt": data.select,
    "insert_stmt": data.write,
    "update_stmt": data.write,
    "delete_stmt": data.write,
    "merge_stmt": data.write,
    "truncate_stmt": data.truncate,
    "index_stmt": objects.create_index,
    "view_stmt": objects.create_view,
    "create_seq_stmt": objects.create_sequence,
    "create_enum_stmt": objects.create_type,
    "create_range_stmt": objects.create_type,
    "composite_type_stmt": objects.create_type,
    "create_domain_stmt": objects.create_domain,
    "create_schema_stmt": objects.create_schema,
    "create_extension_stmt": objects.create_extension,
    "create_stats_stmt": objects.create_statistics,
    "drop_stmt": objects.drop,
    "drop_owned_stmt": objects.drop_owned,
    "dropdb_stmt": objects.drop_owned,
    "drop_role_stmt": objects.drop_owned,
    "rename_stmt": objects.rename,
    "alter_object_schema_stmt": objects.set_schema,
    "alter_enum_stmt": objects.alter_enum,
    "alter_domain_stmt": objects.alter_domain,
    "alter_seq_stmt": objects.alter_sequence,
    "grant_stmt": objects.grant,
    "grant_role_stmt": objects.rights,
    "alter_default_privileges_stmt": objects.rights,
    "variable_set_stmt": objects.setting,
    "variable_show_stmt": objects.session,
    "constraints_set_stmt": objects.session,
    "vacuum_stmt": objects.vacuum,
    "refresh_mat_view_stmt": objects.refresh,
    "create_policy_stmt": objects.policy,
    "alter_policy_stmt": objects.policy,
    "alter_owner_stmt": objects.owner,
    "create_publication_stmt": objects.publication,
    "alter_publication_stmt": objects.publication,
    "comment_stmt": objects.comment,
    "do_stmt": objects.code,
    "call_stmt": objects.code,
    "create_function_stmt": objects.code,
    "alter_function_stmt": objects.code,
    "create_trig_stmt": objects.code,
    "create_event_trig_stmt": objects.code,
    "rule_stmt": objects.code,
    "prepare_stmt": objects.code,
    "execute_stmt": objects.code,
}
_OPENS = ("TRANS_STMT_BEGIN", "TRANS_STMT_START")


def judge_sql(sql: str, *, lines_from: int = 1) -> tuple[Judgement, ...]:
    """Judge each statement of a migration, in order. A text that cannot be parsed is one REVIEW.

    ``lines_from`` is the line of its file on which the text starts. What a statement makes is free
    for those after it, so the whole text of a migration is judged at once.

    >>> [one.verdict.value for one in judge_sql("ALTER TABLE users ADD bio text; DROP TABLE posts")]
    ['expand', 'contract']
    """
    try:
        statements = read(sql)
    except Unreadable as error:
        finding = Finding(rules.UNREADABLE, error.why)
        lines = sql.split("\n")
        shown = one_line(lines[min(error.line, len(lines)) - 1]) or one_line(sql)
        return (_judgement(finding, lines_from + error.line - 1, shown),)
    made = Made()
    brackets = _brackets(statements)
    sets_config = "set_config" in sql.lower()
    found = []
    for index, statement in enumerate(statements):
        # A call is a review in any case; this one has a reason of its own. To look for it takes as long as to parse.
        lifted = list(objects.limits_lifted(statement.tree)) if sets_config and statement.tree is not None else []
        finding = brackets[index] if index in brackets else _worst([*lifted, *_findings(statement, made)])
        found.append(_judgement(finding, lines_from + statement.line - 1, statement.text))
    return tuple(found)


def _findings(statement: Statement, made: Made) -> list[Finding]:
    judge = _JUDGES.get(statement.kind)
    return list(judge(statement.tree, made)) if judge else []


def _worst(findings: list[Finding]) -> Finding:
    return max(findings, key=lambda one: GRAVITY.index(one.rule.verdict), default=Finding(rules.NOT_LISTED))


def _judgement(finding: Finding, line: int, statement: str) -> Judgement:
    rule = finding.rule
    reason = f"{finding.about}: {rule.reason}" if finding.about else rule.reason
    return Judgement(rule.verdict, line, statement, rule.id, reason, rule.safe_way)


def _brackets(statements: tuple[Statement, ...]) -> dict[int, Finding]:
    """Judge the transaction control as a whole: each BEGIN has its COMMIT, and nothing is rolled back."""
    found: dict[int, Finding] = {}
    opened: int | None = None
    for index, statement in enumerate(statements):
        if statement.kind != "transaction_stmt":
            continue
        kind = label(statement.tree, "kind")
        plain = not statement.tree.chain
        if kind in _OPENS and opened is None:
            opened = index
        elif kind == "TRANS_STMT_COMMIT" and opened is not None and plain:
            found[opened] = found[index] = Finding(rules.TRANSACTION)
            opened = None
        else:
            found[index] = Finding(rules.TRANSACTION_ODD)
    if opened is not None:
        found[opened] = Finding(rules.TRANSACTION_ODD)
    return found
