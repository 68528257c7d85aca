"""What is decided of tables: CREATE TABLE, and each part of ALTER TABLE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fairway.migrations import expressions, rules
from fairway.migrations.made import Column, Made, Reference
from fairway.migrations.rules import Rule
from fairway.migrations.trees import Name, dotted, inner, label, relation, words

#: Read from the catalogue of what PostgreSQL knows: these change how a table is kept, never what is in it.
_STORAGE_OPTIONS = ("fillfactor", "autovacuum_", "toast_tuple_target", "parallel_workers", "vacuum_", "log_autovacuum_")
_STORAGE = frozenset(("AT_SetStatistics", "AT_SetStorage", "AT_SetCompression", "AT_ClusterOn", "AT_DropCluster"))
_SERIAL = frozenset(("serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"))
#: Keys that are made once: nobody changes the value of an id.
_SURROGATE = ((), ("id",), ("uuid",))

#: What PostgreSQL does first of one ALTER TABLE, wherever it is written.
_FIRST = frozenset(("AT_DropColumn", "AT_DropConstraint", "AT_DropNotNull", "AT_DropExpression", "AT_DropIdentity"))

_OLD_TABLE = {
    "AT_DropColumn": rules.DROP_COLUMN,
    "AT_SetNotNull": rules.SET_NOT_NULL,
    "AT_DropNotNull": rules.DROP_NOT_NULL,
    "AT_ColumnDefault": rules.CHANGE_DEFAULT,
    "AT_AddIdentity": rules.IDENTITY,
    "AT_SetIdentity": rules.IDENTITY,
    "AT_DropIdentity": rules.CHANGE_GENERATION,
    "AT_DropExpression": rules.CHANGE_GENERATION,
    "AT_SetExpression": rules.CHANGE_GENERATION,
    "AT_DropConstraint": rules.DROP_CONSTRAINT,
    "AT_ValidateConstraint": rules.VALIDATE,
    "AT_ChangeOwner": rules.OWNER,
    "AT_EnableRowSecurity": rules.ROW_SECURITY,
    "AT_ForceRowSecurity": rules.ROW_SECURITY,
    "AT_DisableRowSecurity": rules.POLICY,
    "AT_NoForceRowSecurity": rules.POLICY,
    "AT_AttachPartition": rules.ATTACH,
    "AT_AddInherit": rules.ATTACH,
    "AT_DetachPartition": rules.DETACH,
    "AT_DetachPartitionFinalize": rules.DETACH,
    "AT_DropInherit": rules.DETACH,
    "AT_ReplicaIdentity": rules.REPLICATION,
    "AT_SetLogged": rules.STORAGE,
}
_NEW_TABLE = frozenset(
    [
        "AT_DropColumn",
        "AT_DropNotNull",
        "AT_AddIdentity",
        "AT_SetIdentity",
        "AT_DropIdentity",
        "AT_DropExpression",
        "AT_DropConstraint",
        "AT_ValidateConstraint",
        "AT_EnableRowSecurity",
        "AT_DisableRowSecurity",
        "AT_ForceRowSecurity",
        "AT_NoForceRowSecurity",
        "AT_ReplicaIdentity",
        "AT_SetLogged",
        "AT_SetUnLogged",
        "AT_ChangeOwner",
    ]
)
#: On a new table whose rows must be able to lose what they point to.
_STRICTER = frozenset(("AT_SetNotNull", "AT_AlterColumnType"))


@dataclass(frozen=True)
class Finding:
    """A rule that applies, and to what of the statement."""

    rule: Rule
    about: str = ""


@dataclass(frozen=True)
class _Parts:
    """The constraints of a column, by what they are."""

    kinds: frozenset[str]
    default: Any
    checks: tuple[Any, ...]
    references: tuple[Any, ...]
    unique: tuple[Any, ...]
    generated: Any

    @classmethod
    def of(cls, constraints: Iterable[Any]) -> _Parts:
        found: dict[str, list[Any]] = {}
        for node in constraints:
            found.setdefault(label(node.constraint, "contype"), []).append(node.constraint)
        defaults = found.get("CONSTR_DEFAULT", [])
        return cls(
            kinds=frozenset(found),
            default=defaults[0].raw_expr if defaults and not expressions.is_null(defaults[0].raw_expr) else None,
            checks=tuple(found.get("CONSTR_CHECK", ())),
            references=tuple(found.get("CONSTR_FOREIGN", ())),
            unique=tuple(found.get("CONSTR_UNIQUE", ())),
            generated=(found.get("CONSTR_GENERATED") or [None])[0],
        )


_KNOWN_PARTS = frozenset(
    f"CONSTR_{name}"
    for name in [
        "NULL",
        "NOTNULL",
        "DEFAULT",
        "CHECK",
        "FOREIGN",
        "UNIQUE",
        "PRIMARY",
        "IDENTITY",
        "GENERATED",
        "ATTR_DEFERRABLE",
        "ATTR_NOT_DEFERRABLE",
        "ATTR_DEFERRED",
        "ATTR_IMMEDIATE",
        "ATTR_ENFORCED",
    ]
)


def create_table(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge a CREATE TABLE, and note what it makes."""
    name = relation(tree.relation)
    parents = [relation(node.range_var) for node in tree.inh_relations]
    of_new = all(parent in made.tables for parent in parents)
    temporary = tree.relation.relpersistence == "t"
    if tree.relation.catalogname or (not temporary and name[0] not in ("", "public")):
        yield Finding(rules.OTHER_SCHEMA, f'schema "{name[0]}"')
    if not expressions.changes_nothing(tree):
        yield Finding(rules.CALLS)
    if parents and not of_new:
        bound = tree.HasField("partbound") and not tree.partbound.is_default
        plain = bound and not tree.table_elts and not tree.constraints and not tree.HasField("partspec")
        yield Finding(rules.PARTITION if plain else rules.ATTACH)
        return
    columns: dict[str, Column] = {}
    # Neither is certain to be there, and new, when the next statement names it.
    certain = not tree.if_not_exists and label(tree, "oncommit") in ("ONCOMMIT_NOOP", "")
    made.tables[name] = columns
    tables = [node.constraint for node in tree.table_elts if inner(node)[0] == "constraint"]
    tables += [node.constraint for node in tree.constraints]
    definitions = [node.column_def for node in tree.table_elts if inner(node)[0] == "column_def"]
    for definition in definitions:
        columns[definition.colname] = _new_table_column(definition, tables)
    strict = _has_strict_parts(definitions, tables)
    made.strict |= {name} if strict else set()
    for definition in definitions:
        for constraint in _Parts.of(definition.constraints).references:
            yield from _reference(name, constraint, (definition.colname,), made, strict=strict)
    for constraint in tables:
        if label(constraint, "contype") == "CONSTR_FOREIGN":
            yield from _reference(name, constraint, words(constraint.fk_attrs), made, strict=strict)
    if not certain:
        made.tables.pop(name)
    yield Finding(rules.CREATE_TABLE)


def alter_table(tree: Any, made: Made) -> Iterator[Finding]:
    """Judge each part of an ALTER TABLE, and note what it makes."""
    name = relation(tree.relation)
    kind = label(tree, "objtype")
    commands = [node.alter_table_cmd for node in tree.cmds]
    for command in sorted(commands, key=lambda one: label(one, "subtype") not in _FIRST):
        if kind == "OBJECT_TABLE":
            yield from (_on_new if name in made.tables else _on_old)(name, command, made)
        elif kind == "OBJECT_TYPE":
            new = name in made.types
            added = label(command, "subtype") == "AT_AddColumn"
            yield Finding(rules.NEW_OBJECT if new else rules.NOT_LISTED if added else rules.CHANGE_TYPE)
        else:
            yield Finding(rules.NOT_LISTED)


def _on_new(name: Name, command: Any, made: Made) -> Iterator[Finding]:
    subtype = label(command, "subtype")
    columns = made.tables[name]
    pinned = any(column.pinned for column in columns.values())
    if not expressions.changes_nothing(command):
        yield Finding(rules.CALLS)
    elif subtype == "AT_AddColumn":
        definition = getattr(command, "def").column_def
        columns[definition.colname] = _new_table_column(definition, [])
        if _has_strict_parts([definition], []):
            made.strict.add(name)
            if pinned:
                yield Finding(rules.REFERENCE)
        for constraint in _Parts.of(definition.constraints).references:
            yield from _reference(name, constraint, (definition.colname,), made, strict=name in made.strict)
        yield Finding(rules.NEW_OBJECT)
    elif subtype == "AT_AddConstraint":
        constraint = getattr(command, "def").constraint
        if label(constraint, "contype") == "CONSTR_FOREIGN":
            yield from _reference(name, constraint, words(constraint.fk_attrs), made, strict=name in made.strict)
        elif _strict(constraint):
            made.strict.add(name)
            if pinned:
                yield Finding(rules.REFERENCE)
        yield Finding(rules.NEW_OBJECT)
    elif subtype in _STRICTER or subtype == "AT_ColumnDefault":
        if pinned and subtype in _STRICTER:
            yield Finding(rules.REFERENCE)
        if subtype == "AT_SetNotNull" and command.name in columns:
            columns[command.name].nullable = False
        yield Finding(rules.NEW_OBJECT)
    elif subtype in _NEW_TABLE:
        yield Finding(rules.NEW_OBJECT)
    else:
        yield from _storage(subtype, command)


def _on_old(name: Name, command: Any, made: Made) -> Iterator[Finding]:
    subtype = label(command, "subtype")
    column = made.columns.get((name, command.name))
    about = f'column "{command.name}"' if command.name and "Constraint" not in subtype else ""
    if subtype == "AT_AddColumn":
        yield from _add_column(name, getattr(command, "def").column_def, command.missing_ok, made)
    elif subtype == "AT_AddConstraint":
        yield from _add_constraint(name, getattr(command, "def").constraint, made)
    elif subtype == "AT_AlterColumnType":
        definition = getattr(command, "def").column_def
        text = dotted(words(definition.type_name.names))[1] in ("varchar", "text") and not definition.HasField(
            "raw_default"
        )
        yield Finding(rules.WIDEN_TEXT if text and not definition.type_name.array_bounds else rules.CHANGE_TYPE, about)
    elif column is not None and (finding := _on_new_column(subtype, command, column)) is not None:
        if subtype == "AT_DropColumn":
            del made.columns[(name, command.name)]
        yield finding
    elif subtype in _OLD_TABLE:
        rule = _OLD_TABLE[subtype]
        if subtype == "AT_SetIdentity" and "ival: 97" in str(command):  # ALWAYS: 'a'
            rule = rules.CHANGE_GENERATION
        if subtype == "AT_AddIdentity" and getattr(command, "def").constraint.generated_when == "a":
            rule = rules.CHANGE_GENERATION
        if subtype == "AT_DropConstraint" and label(command, "behavior") == "DROP_CASCADE":
            rule = rules.DROP
        yield Finding(rule, about)
    else:
        yield from _storage(subtype, command)


def _storage(subtype: str, command: Any) -> Iterator[Finding]:
    known = subtype in _STORAGE
    if subtype in ("AT_SetRelOptions", "AT_ResetRelOptions"):
        options = [item.def_elem.defname for item in getattr(command, "def").list.items]
        known = all(option.startswith(_STORAGE_OPTIONS) for option in options)
    yield Finding(rules.STORAGE if known else rules.NOT_LISTED)


def _on_new_column(subtype: str, command: Any, column: Column) -> Finding | None:
    """Judge a change of a column that an existing table got in this migration; None for none that is known."""
    about = f'column "{command.name}"'
    if subtype == "AT_DropColumn":
        return Finding(rules.NEW_COLUMN, about)
    if subtype == "AT_DropNotNull":
        column.nullable = True
        return Finding(rules.NEW_COLUMN, about)
    if subtype == "AT_SetNotNull":
        column.nullable = False
        fine = column.default and not column.pinned
        return Finding(rules.NEW_COLUMN if fine else rules.ADD_REQUIRED_COLUMN, about)
    if subtype == "AT_ColumnDefault" and not command.HasField("def"):
        column.default = False
        return Finding(rules.NEW_COLUMN if column.nullable else rules.ADD_REQUIRED_COLUMN, about)
    if subtype == "AT_ColumnDefault":
        column.default = True
    return None


def _add_column(table: Name, definition: Any, if_not_exists: bool, made: Made) -> Iterator[Finding]:
    """Judge a column that an existing table gets: what becomes of the rows that do not name it."""
    parts = _Parts.of(definition.constraints)
    about = f'column "{definition.colname}"'
    type_name = definition.type_name
    primary = "CONSTR_PRIMARY" in parts.kinds
    identity = "CONSTR_IDENTITY" in parts.kinds
    serial = dotted(words(type_name.names))[1] in _SERIAL
    given = identity or serial or parts.generated is not None or parts.default is not None
    column = Column(nullable=not {"CONSTR_NOTNULL", "CONSTR_PRIMARY"} & parts.kinds, default=given)
    yield Finding(rules.ADD_COLUMN, about)
    if not column.nullable and not given:
        yield Finding(rules.ADD_REQUIRED_COLUMN, about)
    if not parts.kinds <= _KNOWN_PARTS:
        yield Finding(rules.NOT_LISTED, about)
    if serial:
        yield Finding(rules.COLUMN_DEFAULT, about)
    elif not _is_plain_type(type_name, made):
        yield Finding(rules.COLUMN_TYPE, about)
    if parts.default is not None:
        yield from _default(parts, type_name, about)
    if parts.generated is not None:
        plain = dotted(words(type_name.names))[1] in ("text", "bool") and not type_name.array_bounds
        if not plain or not expressions.never_fails(parts.generated.raw_expr):
            yield Finding(rules.COLUMN_EXPRESSION, about)
    for check in parts.checks:
        if not column.left_null or not expressions.passes_null(check.raw_expr, definition.colname):
            yield Finding(rules.COLUMN_CHECK, about)
    if primary:
        yield Finding(rules.NEW_UNIQUE, about)
    for unique in parts.unique:
        yield Finding(_unique(unique.nulls_not_distinct, column, parts.default), about)
    if not if_not_exists:  # a column that may have been there is not known to be new
        made.columns[(table, definition.colname)] = column
    for constraint in parts.references:
        yield from _reference(table, constraint, (definition.colname,), made, strict=False)


def _default(parts: _Parts, type_name: Any, about: str) -> Iterator[Finding]:
    function = expressions.given_by(parts.default)
    if function is None or (function and not expressions.takes(type_name, function)):
        yield Finding(rules.COLUMN_DEFAULT, about)


def _unique(nulls_not_distinct: bool, column: Column, default: Any) -> Rule:
    if column.left_null and not nulls_not_distinct:
        return rules.LOOSE_UNIQUE
    function = expressions.given_by(default) if default is not None else None
    return rules.NEW_UNIQUE if function is None and column.default else (
        rules.ADD_COLUMN if function in expressions.UNIQUE else rules.UNIQUE_DEFAULT
    )  # fmt: skip


def _add_constraint(table: Name, constraint: Any, made: Made) -> Iterator[Finding]:
    """Judge a constraint that an existing table gets: free only where it concerns what the old rows leave NULL."""
    kind = label(constraint, "contype")
    about = f'constraint "{constraint.conname}"' if constraint.conname else ""
    names = words(constraint.fk_attrs if kind == "CONSTR_FOREIGN" else constraint.keys)
    columns = [made.columns.get((table, name)) for name in names]
    empty = bool(columns) and all(column is not None and column.left_null for column in columns)
    if kind == "CONSTR_FOREIGN" and empty:
        yield from _reference(table, constraint, names, made, strict=False)
    elif kind == "CONSTR_UNIQUE" and empty and not constraint.nulls_not_distinct and not constraint.indexname:
        yield Finding(rules.LOOSE_UNIQUE, about)
    elif kind == "CONSTR_CHECK" and _check_is_loose(table, constraint, made):
        yield Finding(rules.NEW_COLUMN, about)
    else:
        yield Finding(rules.ADD_CONSTRAINT, about)


def _check_is_loose(table: Name, constraint: Any, made: Made) -> bool:
    added = [name for (of, name), column in made.columns.items() if of == table and column.left_null]
    return any(expressions.passes_null(constraint.raw_expr, name) for name in added)


def _reference(table: Name, constraint: Any, names: tuple[str, ...], made: Made, *, strict: bool) -> Iterator[Finding]:
    """Judge a foreign key by whether the previous release can go on deleting what it points to."""
    target = relation(constraint.pktable)
    new = table in made.tables
    columns = [made.column(table, name) for name in names]
    yields = constraint.fk_del_action == "n" and not strict
    yields = yields and all(column is not None and column.nullable for column in columns)
    if yields:
        for column in columns:
            assert column is not None
            column.pinned = True
    # Deleting the rows of a table that was there is more than the previous release asked for.
    yields = yields or (constraint.fk_del_action == "c" and new)
    keyed = constraint.fk_upd_action == "c" or words(constraint.pk_attrs) in _SURROGATE
    free = made.refer(Reference(table, target, yields and keyed))
    if not new and not all(column is not None and column.left_null for column in columns):
        yield Finding(rules.COLUMN_CHECK, f'reference to "{target[1]}"')
    yield Finding(rules.SAFE_REFERENCE if free else rules.REFERENCE, f'reference to "{target[1]}"')


def _is_plain_type(type_name: Any, made: Made) -> bool:
    return expressions.built_in(type_name) or dotted(words(type_name.names)) in made.types


def _new_table_column(definition: Any, constraints: Iterable[Any]) -> Column:
    kinds = _Parts.of(definition.constraints).kinds
    keyed = any(
        label(constraint, "contype") in ("CONSTR_PRIMARY", "CONSTR_NOTNULL")
        and definition.colname in words(constraint.keys)
        for constraint in constraints
    )
    plain = expressions.built_in(definition.type_name)
    required = keyed or bool({"CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_IDENTITY"} & kinds)
    return Column(nullable=plain and not required, default=False)


def _strict(constraint: Any) -> bool:
    kind = label(constraint, "contype")
    return kind not in ("CONSTR_FOREIGN", "CONSTR_UNIQUE") or constraint.nulls_not_distinct


def _has_strict_parts(definitions: Iterable[Any], tables: Iterable[Any]) -> bool:
    """Whether anything of a table but a primary key may refuse that a row's reference becomes NULL."""
    parts = [node.constraint for definition in definitions for node in definition.constraints]
    loose = ("CONSTR_PRIMARY", "CONSTR_NULL", "CONSTR_NOTNULL", "CONSTR_DEFAULT", "CONSTR_IDENTITY")
    return any(
        label(constraint, "contype") not in loose
        and not label(constraint, "contype").startswith("CONSTR_ATTR")
        and _strict(constraint)
        for constraint in (*parts, *tables)
    )
