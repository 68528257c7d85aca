"""What is decided of indexes, views, types, names, rights and settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fairway.migrations import expressions, rules
from fairway.migrations.made import Made
from fairway.migrations.tables import Finding
from fairway.migrations.trees import Name, dotted, inner, label, nodes, relation, words

_METHODS = frozenset(("", "btree", "hash", "gin", "gist", "spgist", "brin"))
_EXTENSIONS = frozenset(("pgcrypto", "uuid-ossp", "citext", "pg_trgm", "btree_gin", "btree_gist", "unaccent"))
_SETTINGS = frozenset(
    [
        "lock_timeout",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "transaction_timeout",
        "client_min_messages",
        "work_mem",
        "maintenance_work_mem",
        "max_parallel_maintenance_workers",
        "deadlock_timeout",
    ]
)
#: Those that hold a migration to a limit, with the longest that is one, in seconds. While it waits for
#: a lock, whoever wants the table waits behind it.
_LIMITS = {"lock_timeout": 60.0, "statement_timeout": 3600.0}
_LIMIT = re.compile(r"\s*(?P<number>[0-9]+(?:\.[0-9]*)?)\s*(?P<unit>ms|s|min|h|d)?\s*")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_GONE = frozenset(
    [
        "TABLE",
        "VIEW",
        "MATVIEW",
        "SEQUENCE",
        "TYPE",
        "DOMAIN",
        "SCHEMA",
        "FUNCTION",
        "PROCEDURE",
        "ROUTINE",
        "AGGREGATE",
        "EXTENSION",
        "COLLATION",
        "FOREIGN_TABLE",
        "OPERATOR",
        "CAST",
        "FOREIGN_SERVER",
        "FDW",
        "LANGUAGE",
    ]
)
_RENAMED = frozenset(
    [
        "TABLE",
        "VIEW",
        "MATVIEW",
        "SEQUENCE",
        "TYPE",
        "DOMAIN",
        "SCHEMA",
        "COLUMN",
        "ATTRIBUTE",
        "FUNCTION",
        "PROCEDURE",
        "ROUTINE",
        "AGGREGATE",
        "FOREIGN_TABLE",
        "COLLATION",
        "DATABASE",
        "ROLE",
    ]
)


def create_index(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a CREATE INDEX: which rows it may refuse, now or later."""
    table = relation(tree.relation)
    if table in made.tables:
        yield Finding(rules.NEW_OBJECT if expressions.changes_nothing(tree) else rules.CALLS)
        if tree.unique and tree.nulls_not_distinct:
            pinned = any(column.pinned for column in made.tables[table].values())
            made.strict.add(table)
            yield Finding(rules.REFERENCE if pinned else rules.NEW_OBJECT)
        return
    elements = [node.index_elem for node in tree.index_params]
    if tree.unique:
        columns = [made.columns.get((table, element.name)) for element in elements]
        loose = all(column is not None and column.left_null for column in columns) and not tree.nulls_not_distinct
        yield Finding(rules.LOOSE_UNIQUE if loose else rules.UNIQUE_INDEX, f'index "{tree.idxname}"')
    elif tree.access_method not in _METHODS:
        yield Finding(rules.INDEX_METHOD, f'method "{tree.access_method}"')
    expressed = [element.expr for element in elements if element.HasField("expr")]
    expressed += [tree.where_clause] if tree.HasField("where_clause") else []
    if not all(map(expressions.never_fails, expressed)):
        yield Finding(rules.INDEX_EXPRESSION)
    yield Finding(rules.CREATE_INDEX)


def create_view(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a CREATE VIEW; its query is not run."""
    yield from _created(relation(tree.view), made, "OBJECT_VIEW")
    if tree.replace:
        made.others.pop(relation(tree.view), None)
        yield Finding(rules.REPLACE_VIEW)


def create_sequence(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a CREATE SEQUENCE."""
    yield from _created(relation(tree.sequence), made, "" if tree.if_not_exists else "OBJECT_SEQUENCE")


def create_type(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a new enum, range or composite type."""
    name = relation(tree.typevar) if hasattr(tree, "typevar") else dotted(words(tree.type_name))
    yield from _created(name, made, "")
    made.types.add(name)


def create_domain(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a CREATE DOMAIN; a column of it is not known to take the previous release's rows."""
    yield from _created(dotted(words(tree.domainname)), made, "")


def create_schema(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a CREATE SCHEMA; ``public`` is where everything is, whether it is named or not."""
    public = tree.schemaname == "public" and tree.if_not_exists and not tree.schema_elts
    yield Finding(rules.CREATE_OBJECT if public else rules.CREATE_SCHEMA)


def create_extension(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a CREATE EXTENSION."""
    plain = tree.extname in _EXTENSIONS and not any(node.def_elem.defname == "cascade" for node in tree.options)
    yield Finding(rules.EXTENSION if plain else rules.NOT_LISTED, f'extension "{tree.extname}"')


def create_statistics(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a CREATE STATISTICS; an expression is computed when the table is analyzed."""
    plain = not any(node.stats_elem.HasField("expr") for node in tree.exprs)
    yield Finding(rules.MAINTENANCE if plain else rules.NOT_LISTED)


def drop(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a DROP of one or several objects."""
    kind = label(tree, "remove_type")
    for node in tree.objects:
        name = _object(node)
        if kind == "OBJECT_INDEX":
            yield Finding(rules.DROP_INDEX, f'index "{name[1]}"')
        elif (kind == "OBJECT_TABLE" and name in made.tables) or made.others.get(name) == kind:
            made.forget(name)
            yield Finding(rules.NEW_OBJECT, f'"{name[1]}"')
        elif kind == "OBJECT_TYPE" and name in made.types and label(tree, "behavior") != "DROP_CASCADE":
            made.types.discard(name)
            yield Finding(rules.NEW_OBJECT, f'"{name[1]}"')
        elif kind.removeprefix("OBJECT_") in _GONE:
            yield Finding(rules.DROP, f'"{name[1]}"')
        elif kind in ("OBJECT_POLICY",):
            yield Finding(rules.POLICY)
        elif kind in ("OBJECT_TRIGGER", "OBJECT_RULE", "OBJECT_EVENT_TRIGGER"):
            yield Finding(rules.CODE)
        else:
            yield Finding(rules.NOT_LISTED)


def drop_owned(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge what drops more than it names: DROP OWNED, DROP DATABASE, DROP ROLE."""
    yield Finding(rules.DROP)


def rename(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a RENAME, and follow it for what was made here."""
    kind = label(tree, "rename_type").removeprefix("OBJECT_")
    name = relation(tree.relation) if tree.HasField("relation") else _object(tree.object)
    about = f'"{tree.subname or name[1]}"'
    if kind == "COLUMN" and (name, tree.subname) in made.columns:
        made.columns[(name, tree.newname)] = made.columns.pop((name, tree.subname))
        yield Finding(rules.NEW_COLUMN, about)
    elif kind == "COLUMN" and name in made.tables:
        if tree.subname in made.tables[name]:
            made.tables[name][tree.newname] = made.tables[name].pop(tree.subname)
        yield Finding(rules.NEW_OBJECT, about)
    elif (kind == "TABLE" and name in made.tables) or made.others.get(name) == f"OBJECT_{kind}":
        made.rename(name, (name[0], tree.newname))
        yield Finding(rules.NEW_OBJECT, about)
    elif kind == "TYPE" and name in made.types:
        made.types.discard(name)
        made.types.add((name[0], tree.newname))
        yield Finding(rules.NEW_OBJECT, about)
    elif kind in ("TABCONSTRAINT",) and name in made.tables:
        yield Finding(rules.NEW_OBJECT, about)
    else:
        yield Finding(rules.RENAME if kind in _RENAMED else rules.NAME_IN_USE, about)


def set_schema(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a move to another schema."""
    name = relation(tree.relation) if tree.HasField("relation") else _object(tree.object)
    new = name in made.tables or name in made.others
    made.forget(name)
    yield Finding(rules.OTHER_SCHEMA if new else rules.RENAME, f'"{name[1]}"')


def alter_enum(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a change of an enum's values."""
    if dotted(words(tree.type_name)) in made.types:
        yield Finding(rules.NEW_OBJECT)
    else:
        yield Finding(rules.RENAME if tree.old_val else rules.ENUM_VALUE, f'"{tree.old_val or tree.new_val}"')


def alter_domain(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a change of a domain: a constraint or a NOT NULL is one on every column of it."""
    yield Finding(rules.ADD_CONSTRAINT if tree.subtype in ("C", "O") else rules.NOT_LISTED)


def alter_sequence(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge an ALTER SEQUENCE."""
    name = relation(tree.sequence)
    if made.others.get(name) == "OBJECT_SEQUENCE":
        yield Finding(rules.NEW_OBJECT)
    else:
        # A sequence that a column owns goes with it, whoever else takes numbers from it.
        options = [node.def_elem for node in tree.options]
        free = len(options) == 1 and options[0].defname == "owned_by" and words(options[0].arg.list.items) == ("none",)
        yield Finding(rules.STORAGE if free else rules.SEQUENCE)


def grant(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a GRANT or REVOKE."""
    kind = label(tree, "objtype")
    here = label(tree, "targtype") == "ACL_TARGET_OBJECT"
    names = [relation(node.range_var) for node in tree.objects if inner(node)[0] == "range_var"]
    if here and kind == "OBJECT_TABLE" and names and all(name in made.tables for name in names):
        yield Finding(rules.NEW_OBJECT)
    elif not tree.is_grant:
        yield Finding(rules.REVOKE)
    else:
        known = kind in ("OBJECT_TABLE", "OBJECT_SEQUENCE", "OBJECT_FUNCTION", "OBJECT_TYPE")
        yield Finding(rules.GRANT if known else rules.RIGHTS)


def setting(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a SET or RESET of the session's settings."""
    name, kind = tree.name.lower(), label(tree, "kind")
    known = name in _SETTINGS and kind in ("VAR_SET_VALUE", "VAR_SET_DEFAULT", "VAR_RESET")
    about = f'"{tree.name}"' if tree.name else ""
    # The default is what the session began with: the limits that the migrator was given.
    if name in _LIMITS and kind in ("VAR_SET_VALUE", "VAR_SET_CURRENT"):
        kept = len(tree.args) == 1 and _is_limit(name, _constant(tree.args[0]))
        yield Finding(rules.SESSION if kept else rules.LIMIT, about)
    else:
        yield Finding(rules.SESSION if known else rules.SETTING, about)


def limits_lifted(tree: Any) -> Iterator[Finding]:
    """Judge what a statement of any kind does to a time limit by calling ``set_config``."""
    for kind, node in nodes(tree):
        if kind == "FuncCall" and words(node.funcname)[-1:] == ("set_config",):
            name, value = (_constant(node.args[at]) if at < len(node.args) else None for at in (0, 1))
            if name is None or (name.lower() in _LIMITS and not _is_limit(name.lower(), value)):
                yield Finding(rules.LIMIT, f'"{name}"' if name else "")


def _constant(node: Any) -> str | None:
    """Return what a constant says; None for anything else."""
    if inner(node)[0] != "a_const":
        return None
    value = node.a_const
    texts = {"ival": str(value.ival.ival), "fval": value.fval.fval, "sval": value.sval.sval}
    return texts.get(value.WhichOneof("val") or "")


def _is_limit(name: str, text: str | None) -> bool:
    """Say whether a time limit is set to one: 0, and what is rounded to it, is none; nor is what nobody waits for."""
    found = _LIMIT.fullmatch(text or "")
    if found is None or float(found["number"]) < 1:
        return False
    return float(found["number"]) * _SECONDS[found["unit"] or "ms"] <= _LIMITS[name]


def session(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge what only concerns the session: SHOW, SET CONSTRAINTS."""
    yield Finding(rules.SESSION)


def vacuum(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a VACUUM or ANALYZE."""
    full = any(node.def_elem.defname == "full" for node in tree.options)
    yield Finding(rules.NOT_LISTED if full else rules.MAINTENANCE)


def refresh(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a REFRESH MATERIALIZED VIEW, which runs its query."""
    yield Finding(rules.REFRESH)


def code(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge what holds or calls code."""
    yield Finding(rules.CODE)


def policy(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a policy of row security."""
    yield Finding(rules.NEW_OBJECT if _only_reads_new(tree, made) else rules.POLICY)


def owner(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a change of owner."""
    yield Finding(rules.OWNER)


def rights(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge what gives roles or default rights."""
    yield Finding(rules.RIGHTS)


def publication(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a publication: a table in one refuses updates that cannot name the row."""
    yield Finding(rules.REPLICATION)


def comment(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a COMMENT."""
    yield Finding(rules.COMMENT)


def _only_reads_new(tree: Any, made: Made) -> bool:
    return tree.HasField("table") and relation(tree.table) in made.tables and not any(
        kind == "FuncCall" for kind, _ in nodes(tree)
    )  # fmt: skip


def _created(name: Name, made: Made, kind: str) -> Iterator[Finding]:
    if name[0] not in ("", "public"):
        yield Finding(rules.OTHER_SCHEMA, f'schema "{name[0]}"')
    if kind:
        made.others[name] = kind
    yield Finding(rules.CREATE_OBJECT)


def _object(node: Any) -> Name:
    kind, tree = inner(node)
    if kind == "list":
        return dotted(words(tree.items))
    if kind == "type_name":
        return dotted(words(tree.names))
    if kind == "object_with_args":
        return dotted(words(tree.objname))
    return ("", tree.sval) if kind == "string" else ("", "")
