"""What an expression can do: nothing but compute, never fail, let NULL pass."""

from __future__ import annotations

from typing import Any

from fairway.migrations.trees import dotted, inner, label, nodes, words

#: Never fail, and do nothing else, whatever text, number or time they are given.
_TOTAL = frozenset(("lower", "upper", "btrim", "ltrim", "rtrim", "md5", "length", "char_length"))
#: Give a value to a new row.
_GIVE = frozenset(
    [
        "now",
        "clock_timestamp",
        "statement_timestamp",
        "transaction_timestamp",
        "gen_random_uuid",
        "uuidv4",
        "uuidv7",
        "uuid_generate_v4",
    ]
)
#: Give a different value to each row, however many are made at once.
UNIQUE = frozenset(("gen_random_uuid", "uuidv4", "uuidv7", "uuid_generate_v4"))
#: May fail, but change nothing.
_PURE = (
    _TOTAL
    | _GIVE
    | frozenset(
        [
            "abs",
            "ceil",
            "ceiling",
            "floor",
            "round",
            "trunc",
            "mod",
            "power",
            "sqrt",
            "greatest",
            "least",
            "count",
            "sum",
            "min",
            "max",
            "avg",
            "array_agg",
            "string_agg",
            "jsonb_agg",
            "json_agg",
            "jsonb_object_agg",
            "bool_and",
            "bool_or",
            "row_number",
            "rank",
            "dense_rank",
            "lag",
            "lead",
            "first_value",
            "last_value",
            "substring",
            "substr",
            "left",
            "right",
            "replace",
            "regexp_replace",
            "regexp_match",
            "split_part",
            "concat",
            "concat_ws",
            "initcap",
            "trim",
            "lpad",
            "rpad",
            "position",
            "strpos",
            "overlay",
            "octet_length",
            "date_trunc",
            "date_part",
            "extract",
            "age",
            "timezone",
            "make_date",
            "make_interval",
            "to_char",
            "to_date",
            "to_timestamp",
            "to_number",
            "to_tsvector",
            "jsonb_build_object",
            "jsonb_build_array",
            "json_build_object",
            "json_build_array",
            "to_json",
            "to_jsonb",
            "array_length",
            "cardinality",
            "unnest",
            "generate_series",
            "jsonb_array_elements",
            "jsonb_array_elements_text",
            "jsonb_each",
            "jsonb_each_text",
            "coalesce",
            "nullif",
            "nextval",
            "random",
            "encode",
            "decode",
            "digest",
            "sha256",
        ]
    )
)
_OPERATORS = frozenset(
    [
        "=",
        "<>",
        "!=",
        "<",
        ">",
        "<=",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "||",
        "~",
        "!~",
        "~*",
        "!~*",
        "~~",
        "!~~",
        "~~*",
        "!~~*",
        "->",
        "->>",
        "#>",
        "#>>",
        "@>",
        "<@",
        "?",
        "&&",
        "@@",
    ]
)
_COMPARISONS = frozenset(["=", "<>", "!=", "<", ">", "<=", ">="])
_PLAIN = frozenset(("ColumnRef", "String", "A_Const", "Integer", "Float", "Boolean", "BitString"))
_BUILT_IN = frozenset(
    [
        "text",
        "uuid",
        "json",
        "jsonb",
        "date",
        "bytea",
        "inet",
        "cidr",
        "macaddr",
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "bool",
        "numeric",
        "varchar",
        "bpchar",
        "timestamp",
        "timestamptz",
        "time",
        "timetz",
        "interval",
        "money",
        "tsvector",
        "tsquery",
        "xml",
        "point",
        "line",
        "lseg",
        "box",
        "path",
        "polygon",
        "circle",
        "bit",
        "varbit",
        "oid",
        "name",
        "int4range",
        "int8range",
        "numrange",
        "tsrange",
        "tstzrange",
        "daterange",
        "citext",
        "hstore",
        "ltree",
        "geometry",
        "geography",
        "vector",
    ]
)
_WITH_LENGTH_FREE = frozenset(("timestamp", "timestamptz", "time", "timetz"))


def changes_nothing(tree: Any) -> bool:
    """Whether a query or expression only reads and computes, as far as is known of what it calls."""
    for kind, node in nodes(tree):
        if kind == "FuncCall" and not _calls(node, _PURE):
            return False
        if kind == "A_Expr" and not _operates(node, _OPERATORS):
            return False
        if kind in ("LockingClause", "IntoClause", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"):
            return False
    return True


def never_fails(tree: Any) -> bool:
    """Whether an expression gives a value for every row there can be."""
    for kind, node in nodes(tree):
        if kind == "FuncCall":
            if not _calls(node, _TOTAL):
                return False
        elif kind == "A_Expr":
            if label(node, "kind") not in ("AEXPR_OP", "AEXPR_IN", "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT"):
                return False
            if not _operates(node, _COMPARISONS):
                return False
        elif kind == "TypeCast":
            if inner(node.arg)[0] != "a_const" or not built_in(node.type_name):
                return False
        elif kind not in (*_PLAIN, "BoolExpr", "NullTest", "BooleanTest", "List", "CoalesceExpr", "TypeName"):
            return False
    return True


def passes_null(node: Any, column: str) -> bool:
    """Whether a check that holds for a NULL in the column, whatever the rest of the row: plain comparisons of it."""
    kind, tree = inner(node)
    if kind == "bool_expr" and label(tree, "boolop") in ("AND_EXPR", "OR_EXPR"):
        return all(passes_null(arg, column) for arg in tree.args)
    if kind != "a_expr" or label(tree, "kind") not in ("AEXPR_OP", "AEXPR_IN"):
        return False
    if inner(tree.lexpr)[0] != "column_ref" or words(tree.lexpr.column_ref.fields) != (column,):
        return False
    constants = {name for name, _ in nodes(tree.rexpr)} <= {*_PLAIN, "List", "TypeCast", "TypeName"} - {"ColumnRef"}
    return constants and _operates(tree, _COMPARISONS)


def given_by(node: Any) -> str | None:
    """Return the function that a default calls, ``""`` for a constant, None for anything less plain."""
    kind, tree = inner(node)
    if kind == "type_cast" and built_in(tree.type_name):
        kind, tree = inner(tree.arg)
        return "" if kind in ("a_const", "a_array_expr") and _constant(tree) else None
    if kind == "a_const" or (kind == "a_array_expr" and _constant(tree)):
        return ""
    if kind == "sqlvalue_function":
        return "now" if label(tree, "op").startswith("SVFOP_CURRENT_") and "TIME" in label(tree, "op") else None
    if kind == "func_call" and _calls(tree, _GIVE) and not tree.args:
        return dotted(words(tree.funcname))[1]
    return None


def is_null(node: Any) -> bool:
    """Whether an expression is the constant NULL, cast or not."""
    kind, tree = inner(node)
    if kind == "type_cast":
        kind, tree = inner(tree.arg)
    return kind == "a_const" and bool(tree.isnull)


def built_in(type_name: Any) -> bool:
    """Whether a type is known to be no domain."""
    schema, name = dotted(words(type_name.names))
    return name in _BUILT_IN and schema in ("", "pg_catalog")


def of_any_length(type_name: Any) -> bool:
    """Whether a type has no limit that a value could be too long or too great for."""
    return not type_name.typmods or dotted(words(type_name.names))[1] in _WITH_LENGTH_FREE


def takes(type_name: Any, function: str) -> bool:
    """Whether a column of the type takes whatever the function gives."""
    name = dotted(words(type_name.names))[1]
    if not of_any_length(type_name) or type_name.array_bounds:
        return False
    if function in UNIQUE:
        return name in ("uuid", "text")
    return name in ("timestamp", "timestamptz", "date", "time", "timetz", "text")


def _constant(tree: Any) -> bool:
    return {kind for kind, _ in nodes(tree)} <= {
        "A_Const", "String", "Integer", "Float", "Boolean", "BitString", "A_ArrayExpr"
    }  # fmt: skip


def _calls(node: Any, known: frozenset[str]) -> bool:
    schema, name = dotted(words(node.funcname))
    return schema in ("", "pg_catalog") and name in known


def _operates(node: Any, known: frozenset[str]) -> bool:
    names = words(node.name)
    # BETWEEN and LIKE are kept as operators with names of their own.
    return len(names) == 1 and (names[0] in known or (known is _OPERATORS and names[0][:1].isalpha()))
