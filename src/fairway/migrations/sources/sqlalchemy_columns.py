"""SQLAlchemy's columns, types, defaults and constraints, as PostgreSQL has them."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from fairway.migrations.sources import python
from fairway.migrations.sources.python import Call, Unclear, call_of
from fairway.migrations.sources.source import literal, quoted

# Types without arguments that matter; SQLAlchemy's upper-case names are the SQL ones.
_TYPES = {
    "biginteger": "bigint", "bigint": "bigint", "integer": "integer", "int": "integer",
    "smallinteger": "smallint", "smallint": "smallint", "boolean": "boolean", "text": "text",
    "unicodetext": "text", "date": "date", "float": "double precision", "real": "real",
    "double": "double precision", "double_precision": "double precision", "largebinary": "bytea",
    "bytea": "bytea", "json": "json", "jsonb": "jsonb", "uuid": "uuid", "inet": "inet", "cidr": "cidr",
    "macaddr": "macaddr", "interval": "interval", "tsvector": "tsvector", "hstore": "hstore",
    "citext": "citext", "money": "money", "oid": "oid", "daterange": "daterange", "tstzrange": "tstzrange",
    "tsrange": "tsrange", "int4range": "int4range", "int8range": "int8range", "numrange": "numrange",
}  # fmt: skip
_SIZED = {"string": "varchar", "varchar": "varchar", "unicode": "varchar", "char": "char", "nvarchar": "varchar"}
_NUMERIC = {"numeric", "decimal"}
_TIMES = {"datetime": "timestamp", "timestamp": "timestamp", "time": "time"}
_FUNCTIONS = {"now": "now()", "current_timestamp": "CURRENT_TIMESTAMP", "gen_random_uuid": "gen_random_uuid()"}
_WORDS = {"true": "true", "false": "false", "null": "NULL"}


class Columns:
    """Writes the columns and constraints of one module. Raises ``Unclear`` for what it does not know."""

    def __init__(self, constants: Mapping[str, str]) -> None:
        self._constants = constants

    def table(self, nodes: Sequence[ast.expr], table: str, name: str) -> tuple[list[str], list[str]]:
        """Return the parts of a ``CREATE TABLE``, and what runs after it."""
        parts, after = [], []
        for node in nodes:
            call = call_of(node)
            if call is not None and call.name == "Column":
                column, more = self.column(node, table, name)
                parts.append(column)
                after += more
            elif call is not None:
                parts.append(self._constraint(call))
            else:
                raise Unclear(f"{python.written(node)} is neither a column nor a constraint")
        return parts, after

    def column(self, node: ast.expr | None, table: str, table_name: str) -> tuple[str, list[str]]:
        """Return a column as it is defined, and what runs after that: its index."""
        call = call_of(node) if node is not None else None
        if call is None or call.name != "Column" or not call.arguments:
            raise Unclear("the column is no plain Column(...)")
        call.only(
            "nullable", "server_default", "default", "onupdate", "primary_key", "unique", "index", "comment",
            "autoincrement", "key", "info", "doc", "quote", "type_",
        )  # fmt: skip
        name = python.text_of(call.arguments[0], self._constants)
        if name is None:
            raise Unclear(f"{python.written(call.arguments[0])} is no literal")
        rest = list(call.arguments[1:])
        type_node = call.options.get("type_") or (rest.pop(0) if rest else None)
        if type_node is None:
            raise Unclear(f"the column {name} has no type")
        primary = self._flag(call, "primary_key")
        parts = [quoted(name), self.type_of(type_node)]
        if not (self._flag(call, "nullable", default=not primary)):
            parts.append("NOT NULL")
        if (server := call.options.get("server_default")) is not None:
            parts.append(self._server_default(server))
        parts += [self._beside(one) for one in rest]
        parts += ["PRIMARY KEY"] if primary else []
        parts += ["UNIQUE"] if self._flag(call, "unique") and not self._flag(call, "index") else []
        after = []
        if self._flag(call, "index"):
            unique = "UNIQUE " if self._flag(call, "unique") else ""
            after.append(f"CREATE {unique}INDEX {quoted(f'ix_{table_name}_{name}')} ON {table} ({quoted(name)})")
        return " ".join(parts), after

    def _flag(self, call: Call, name: str, *, default: bool = False) -> bool:
        if name not in call.options:
            return default
        value = python.value_of(call.options[name])
        if not isinstance(value, bool):
            raise Unclear(f"{name} is neither True nor False")
        return value

    def type_of(self, node: ast.expr) -> str:
        """Return a type's name in PostgreSQL."""
        call = call_of(node)
        name = (call.name if call else python.last_name(node)).lower()
        arguments, options = (call.arguments, call.options) if call else ((), {})
        if name in _SIZED:
            size = python.value_of(arguments[0] if arguments else options.get("length"))
            return f"{_SIZED[name]}({size})" if isinstance(size, int) else _SIZED[name]
        if name in _NUMERIC:
            precision = python.value_of(arguments[0] if arguments else options.get("precision"))
            scale = python.value_of(arguments[1] if len(arguments) > 1 else options.get("scale"))
            given = [str(one) for one in (precision, scale) if isinstance(one, int)]
            return f"numeric({', '.join(given)})" if given else "numeric"
        if name in _TIMES:
            zone = python.value_of(arguments[0] if arguments else options.get("timezone"))
            return f"{_TIMES[name]} with time zone" if zone is True else f"{_TIMES[name]} without time zone"
        if name == "array" and arguments:
            return f"{self.type_of(arguments[0])}[]"
        if name == "enum":
            named = python.text_of(options.get("name"), self._constants)
            if named is None:
                raise Unclear("an enumerated type without a name")
            return quoted(named)
        if name in _TYPES:
            return _TYPES[name]
        raise Unclear(f"the type {python.written(node)} is not known here")

    def default_of(self, node: ast.expr) -> str:
        """Return a default as SQL, empty for none."""
        if isinstance(node, ast.Constant) and (node.value is None or node.value is False):
            return ""
        call = call_of(node)
        if call is None:
            text = python.text_of(node, self._constants)
            if text is None:
                raise Unclear(f"the default {python.written(node)} is no literal")
            return literal(text)
        if call.name in ("text", "literal_column") or python.dotted(call.node.func).startswith(("sa.func.", "func.")):
            return self.expression(node)
        if call.name in _WORDS and not call.arguments:
            return _WORDS[call.name]
        raise Unclear(f"the default {python.written(node)} is not known here")

    def _server_default(self, node: ast.expr) -> str:
        call = call_of(node)
        if call is not None and call.name == "Identity":
            return self._beside(node)
        default = self.default_of(node)
        return f"DEFAULT {default}" if default else ""

    def expression(self, node: ast.expr | None) -> str:
        """Return an SQL expression that is spelled out, plainly or in ``text()``."""
        call = call_of(node) if node is not None else None
        if call is not None and call.name in ("text", "literal_column") and len(call.arguments) == 1:
            node = call.arguments[0]
        elif call is not None and call.name in _FUNCTIONS and not call.arguments:
            return _FUNCTIONS[call.name]
        text = python.text_of(node, self._constants)
        if text is None:
            raise Unclear(f"{python.written(node) if node is not None else 'an expression'} is no literal")
        if "--" in text or "/*" in text:
            raise Unclear("a comment in an expression, which may hide what follows it")
        return text

    def _beside(self, node: ast.expr) -> str:
        call = call_of(node)
        if call is None:
            raise Unclear(f"{python.written(node)} beside a column is not known here")
        if call.name == "ForeignKey":
            return self._references(call)
        if call.name == "Identity":
            always = python.value_of(call.options.get("always")) is True
            return f"GENERATED {'ALWAYS' if always else 'BY DEFAULT'} AS IDENTITY"
        if call.name == "Computed" and call.arguments:
            return f"GENERATED ALWAYS AS ({self.expression(call.arguments[0])}) STORED"
        if call.name == "CheckConstraint":
            return self._constraint(call)
        raise Unclear(f"{call.name} beside a column is not known here")

    def _references(self, call: Call) -> str:
        call.only("column", "name", "ondelete", "onupdate", "deferrable", "initially", "info")
        target = python.text_of(call.argument(0, "column"), self._constants)
        if target is None or "." not in target:
            raise Unclear("what the foreign key refers to is no literal")
        return f"REFERENCES {_target([target])}{self._actions(call)}"

    def _actions(self, call: Call) -> str:
        found = ""
        for option in ("ondelete", "onupdate"):
            if option in call.options:
                action = python.text_of(call.options[option], self._constants)
                if action is None:
                    raise Unclear(f"{option} is no literal")
                found += f" ON {option.removeprefix('on').upper()} {action}"
        found += " DEFERRABLE" if self._flag(call, "deferrable") else ""
        if "initially" in call.options:
            when = python.text_of(call.options["initially"], self._constants)
            if when is None:
                raise Unclear("initially is no literal")
            found += f" INITIALLY {when}"
        return found

    def _constraint(self, call: Call) -> str:
        named = python.text_of(_unwrapped(call.options.get("name")), self._constants)
        front = f"CONSTRAINT {quoted(named)} " if named else ""
        if call.name in ("PrimaryKeyConstraint", "UniqueConstraint"):
            call.only("name", "info")
            columns = [python.text_of(one, self._constants) for one in call.arguments]
            if not columns or None in columns:
                raise Unclear(f"the columns of {call.name} are no literals")
            what = "PRIMARY KEY" if call.name == "PrimaryKeyConstraint" else "UNIQUE"
            return f"{front}{what} ({', '.join(quoted(one) for one in columns if one)})"
        if call.name == "CheckConstraint":
            call.only("sqltext", "name", "info")
            return f"{front}CHECK ({self.expression(call.argument(0, 'sqltext'))})"
        if call.name == "ForeignKeyConstraint":
            call.only("columns", "refcolumns", "name", "ondelete", "onupdate", "deferrable", "initially", "info")
            own, targets = (self._strings(call.argument(n, key)) for n, key in ((0, "columns"), (1, "refcolumns")))
            here = ", ".join(quoted(one) for one in own)
            return f"{front}FOREIGN KEY ({here}) REFERENCES {_target(targets)}{self._actions(call)}"
        raise Unclear(f"{call.name} in a table is not known here")

    def _strings(self, node: ast.expr | None) -> list[str]:
        if not isinstance(node, ast.List | ast.Tuple):
            raise Unclear("a list of columns is no literal")
        texts = [python.text_of(one, self._constants) for one in node.elts]
        if not texts or None in texts:
            raise Unclear("a list of columns is no literal")
        return [one for one in texts if one is not None]


def _unwrapped(node: ast.expr | None) -> ast.expr | None:
    """Take ``op.f("name")`` for the name in it."""
    call = call_of(node) if node is not None else None
    return call.arguments[0] if call is not None and call.name == "f" and len(call.arguments) == 1 else node


def _target(columns: list[str]) -> str:
    """Write what a foreign key refers to: ``table (column)`` of ``["table.column"]``."""
    pairs = [one.rpartition(".") for one in columns]
    table = ".".join(quoted(part) for part in pairs[0][0].split("."))
    return f"{table} ({', '.join(quoted(column) for _, _, column in pairs)})"
