"""What Alembic's operations do, as the SQL that they become on PostgreSQL."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping

from fairway.migrations.judgement import Judgement
from fairway.migrations.sources import python
from fairway.migrations.sources.python import Call, Unclear, call_of, review
from fairway.migrations.sources.source import Script, literal, quoted
from fairway.migrations.sources.sqlalchemy_columns import Columns


class Operations:
    """Reads the statements of one ``upgrade()`` into a script; what is not plain comes back as judgements."""

    def __init__(self, constants: Mapping[str, str], op: frozenset[str], script: Script) -> None:
        self._constants = constants
        self._op = op
        self._script = script
        self._columns = Columns(constants)
        self._told: list[Judgement] = []

    def read(self, body: Iterable[ast.stmt]) -> tuple[Judgement, ...]:
        """Read statements in order."""
        for statement in body:
            try:
                self._statement(statement)
            except Unclear as unclear:
                self._told.append(review(statement, str(unclear)))
        return tuple(self._told)

    def _statement(self, node: ast.stmt, batch: tuple[str, str] | None = None) -> None:
        if isinstance(node, ast.Pass):
            return None
        if isinstance(node, ast.Expr):
            if not isinstance(node.value, ast.Constant):
                self._call(node.value, batch)
            return None
        if isinstance(node, ast.With) and batch is None:
            return self._with(node)
        raise Unclear(f"{_NAMES.get(type(node), 'a statement')}: what runs here is decided when it runs")

    def _with(self, node: ast.With) -> None:
        item = node.items[0]
        call = call_of(item.context_expr) if len(node.items) == 1 else None
        if call is not None and call.name == "autocommit_block":
            self.read(node.body)
            return
        table = self._text(call.argument(0, "table_name")) if call and self._is_op(call) else ""
        name = item.optional_vars.id if isinstance(item.optional_vars, ast.Name) else ""
        if call is None or call.name != "batch_alter_table" or not name:
            raise Unclear("a with block whose effect is not known here")
        for statement in node.body:
            try:
                self._statement(statement, (name, self._table(table, call)))
            except Unclear as unclear:
                self._told.append(review(statement, str(unclear)))

    def _is_op(self, call: Call) -> bool:
        return isinstance(call.node.func, ast.Attribute) and python.dotted(call.node.func.value) in self._op

    def _call(self, node: ast.expr, batch: tuple[str, str] | None) -> None:
        call = call_of(node)
        if call is None:
            raise Unclear("not a plain call with plain arguments")
        if batch is not None and isinstance(call.node.func, ast.Attribute) and not self._is_op(call):
            if python.dotted(call.node.func.value) != batch[0]:
                raise Unclear("it calls something else than the batch of operations")
            self._write(call, self._in_batch(call, batch[1]))
            return
        if not self._is_op(call):
            raise Unclear("it calls something else than Alembic's operations")
        if call.name == "execute":
            self._execute(call)
            return
        write = _OPERATIONS.get(call.name)
        if write is None:
            raise Unclear(f"the effect of op.{call.name}() cannot be told from the text")
        self._write(call, write(self, call))

    def _in_batch(self, call: Call, table: str) -> list[str]:
        write = _IN_BATCH.get(call.name)
        if write is None:
            raise Unclear(f"the effect of {call.name}() in a batch cannot be told from the text")
        return write(self, call, table)

    def _write(self, call: Call, statements: Iterable[str]) -> None:
        for sql in statements:
            self._script.add(sql, call.line, words=python.written(call.node))

    def _execute(self, call: Call) -> None:
        call.only("sqltext")
        node = call.argument(0, "sqltext")
        inner = call_of(node) if node is not None else None
        if inner is not None and inner.name == "text" and len(inner.arguments) == 1 and not inner.options:
            node = inner.arguments[0]
        sql = python.text_of(node, self._constants)
        if node is None or sql is None:
            raise Unclear("the SQL is put together when it runs")
        # SQLAlchemy reads \: in text() as a colon; elsewhere it has no meaning of its own.
        if isinstance(node, ast.Name):
            self._script.add(sql, call.line, words=sql)
        else:
            self._script.add(sql, python.first_line_of(node))

    # -- arguments

    def _text(self, node: ast.expr | None) -> str:
        inner = call_of(node) if node is not None else None
        if inner is not None and inner.name == "f" and self._is_op(inner) and len(inner.arguments) == 1:
            node = inner.arguments[0]
        text = python.text_of(node, self._constants)
        if text is None:
            raise Unclear(f"{python.written(node) if node is not None else 'a name'} is no literal")
        return text

    def _name(self, node: ast.expr | None) -> str:
        return quoted(self._text(node))

    def _texts(self, node: ast.expr | None) -> list[str]:
        if not isinstance(node, ast.List | ast.Tuple):
            raise Unclear("a list of columns is no literal")
        return [self._text(one) for one in node.elts]

    def _table(self, name: str, call: Call) -> str:
        schema = call.options.get("schema")
        if schema is None or (isinstance(schema, ast.Constant) and schema.value is None):
            return quoted(name)
        return f"{self._name(schema)}.{quoted(name)}"

    def _flag(self, call: Call, name: str) -> bool:
        value = python.value_of(call.options.get(name))
        if not isinstance(value, bool | None):
            raise Unclear(f"{name} is neither True nor False")
        return bool(value)

    # -- operations

    def _create_table(self, call: Call) -> list[str]:
        call.only("schema", "comment", "if_not_exists")
        if not call.arguments:
            raise Unclear("the table has no name")
        table = self._text(call.arguments[0])
        parts, after = self._columns.table(call.arguments[1:], self._table(table, call), table)
        exists = "IF NOT EXISTS " if self._flag(call, "if_not_exists") else ""
        return [f"CREATE TABLE {exists}{self._table(table, call)} ({', '.join(parts)})", *after]

    def _drop_table(self, call: Call) -> list[str]:
        call.only("schema", "if_exists", "table_name")
        exists = "IF EXISTS " if self._flag(call, "if_exists") else ""
        return [f"DROP TABLE {exists}{self._table(self._text(call.argument(0, 'table_name')), call)}"]

    def _rename_table(self, call: Call) -> list[str]:
        call.only("schema", "old_table_name", "new_table_name")
        old, new = self._text(call.argument(0, "old_table_name")), self._name(call.argument(1, "new_table_name"))
        return [f"ALTER TABLE {self._table(old, call)} RENAME TO {new}"]

    def _add_column(self, call: Call) -> list[str]:
        call.only("schema", "table_name", "column", "if_not_exists")
        name = self._text(call.argument(0, "table_name"))
        exists = self._flag(call, "if_not_exists")
        return self._add(name, self._table(name, call), call.argument(1, "column"), if_not_exists=exists)

    def _batch_add_column(self, call: Call, table: str) -> list[str]:
        call.only("column", "insert_before", "insert_after")
        return self._add(table.strip('"'), table, call.argument(0, "column"))

    def _add(self, name: str, table: str, node: ast.expr | None, *, if_not_exists: bool = False) -> list[str]:
        column, after = self._columns.column(node, table, name)
        exists = "IF NOT EXISTS " if if_not_exists else ""
        return [f"ALTER TABLE {table} ADD COLUMN {exists}{column}", *after]

    def _drop_column(self, call: Call) -> list[str]:
        call.only("schema", "table_name", "column_name", "if_exists")
        table = self._table(self._text(call.argument(0, "table_name")), call)
        return [f"ALTER TABLE {table} DROP COLUMN {self._name(call.argument(1, 'column_name'))}"]

    def _batch_drop_column(self, call: Call, table: str) -> list[str]:
        call.only("column_name")
        return [f"ALTER TABLE {table} DROP COLUMN {self._name(call.argument(0, 'column_name'))}"]

    def _alter_column(self, call: Call) -> list[str]:
        table = self._table(self._text(call.argument(0, "table_name")), call)
        return self._alter(call, table, call.argument(1, "column_name"))

    def _batch_alter_column(self, call: Call, table: str) -> list[str]:
        return self._alter(call, table, call.argument(0, "column_name"))

    def _alter(self, call: Call, table: str, node: ast.expr | None) -> list[str]:
        call.only(
            "table_name", "column_name", "schema", "nullable", "server_default", "new_column_name", "type_",
            "existing_type", "existing_nullable", "existing_server_default", "existing_comment", "comment",
            "postgresql_using",
        )  # fmt: skip
        name = self._name(node)
        done = []
        if "nullable" in call.options:
            done.append(f"ALTER COLUMN {name} {'DROP' if self._flag(call, 'nullable') else 'SET'} NOT NULL")
        if "type_" in call.options:
            using = call.options.get("postgresql_using")
            wanted = f"ALTER COLUMN {name} TYPE {self._columns.type_of(call.options['type_'])}"
            done.append(wanted + (f" USING {self._text(using)}" if using is not None else ""))
        if "server_default" in call.options:
            default = self._columns.default_of(call.options["server_default"])
            done.append(f"ALTER COLUMN {name} " + (f"SET DEFAULT {default}" if default else "DROP DEFAULT"))
        statements = [f"ALTER TABLE {table} {one}" for one in done]
        if "new_column_name" in call.options:
            new = self._name(call.options["new_column_name"])
            statements.append(f"ALTER TABLE {table} RENAME COLUMN {name} TO {new}")
        if "comment" in call.options:
            statements.append(f"COMMENT ON COLUMN {table}.{name} IS ''")
        return statements

    def _create_index(self, call: Call) -> list[str]:
        table = self._table(self._text(call.argument(1, "table_name")), call)
        return self._index(call, table, call.argument(2, "columns"))

    def _batch_create_index(self, call: Call, table: str) -> list[str]:
        return self._index(call, table, call.argument(1, "columns"))

    def _index(self, call: Call, table: str, columns: ast.expr | None) -> list[str]:
        call.only(
            "index_name", "table_name", "columns", "schema", "unique", "if_not_exists", "postgresql_concurrently",
            "postgresql_where", "postgresql_using",
        )  # fmt: skip
        if not isinstance(columns, ast.List | ast.Tuple):
            raise Unclear("a list of columns is no literal")
        parts = [self._indexed(one) for one in columns.elts]
        unique = "UNIQUE " if self._flag(call, "unique") else ""
        concurrently = "CONCURRENTLY " if self._flag(call, "postgresql_concurrently") else ""
        exists = "IF NOT EXISTS " if self._flag(call, "if_not_exists") else ""
        using = f"USING {self._name(call.options['postgresql_using'])} " if "postgresql_using" in call.options else ""
        where = ""
        if "postgresql_where" in call.options:
            where = f" WHERE {self._columns.expression(call.options['postgresql_where'])}"
        name = self._name(call.argument(0, "index_name"))
        return [f"CREATE {unique}INDEX {concurrently}{exists}{name} ON {table} {using}({', '.join(parts)}){where}"]

    def _indexed(self, node: ast.expr) -> str:
        if (text := python.text_of(node, self._constants)) is not None:
            return quoted(text)
        return self._columns.expression(node)

    def _drop_index(self, call: Call) -> list[str]:
        call.only("index_name", "table_name", "schema", "if_exists", "postgresql_concurrently")
        return [self._dropped_index(call)]

    def _batch_drop_index(self, call: Call, table: str) -> list[str]:
        call.only("index_name", "if_exists", "postgresql_concurrently")
        return [self._dropped_index(call)]

    def _dropped_index(self, call: Call) -> str:
        concurrently = "CONCURRENTLY " if self._flag(call, "postgresql_concurrently") else ""
        exists = "IF EXISTS " if self._flag(call, "if_exists") else ""
        return f"DROP INDEX {concurrently}{exists}{self._table(self._text(call.argument(0, 'index_name')), call)}"

    def _unique(self, call: Call) -> list[str]:
        call.only("constraint_name", "table_name", "columns", "schema")
        table = self._table(self._text(call.argument(1, "table_name")), call)
        return self._constraint(call, table, f"UNIQUE ({self._listed(call.argument(2, 'columns'))})")

    def _batch_unique(self, call: Call, table: str) -> list[str]:
        call.only("constraint_name", "columns")
        return self._constraint(call, table, f"UNIQUE ({self._listed(call.argument(1, 'columns'))})")

    def _primary(self, call: Call) -> list[str]:
        call.only("constraint_name", "table_name", "columns", "schema")
        table = self._table(self._text(call.argument(1, "table_name")), call)
        return self._constraint(call, table, f"PRIMARY KEY ({self._listed(call.argument(2, 'columns'))})")

    def _check(self, call: Call) -> list[str]:
        call.only("constraint_name", "table_name", "condition", "schema", "postgresql_not_valid")
        table = self._table(self._text(call.argument(1, "table_name")), call)
        return self._constraint(call, table, f"CHECK ({self._columns.expression(call.argument(2, 'condition'))})")

    def _batch_check(self, call: Call, table: str) -> list[str]:
        call.only("constraint_name", "condition", "postgresql_not_valid")
        return self._constraint(call, table, f"CHECK ({self._columns.expression(call.argument(1, 'condition'))})")

    def _foreign(self, call: Call) -> list[str]:
        table = self._text(call.argument(1, "source_table"))
        schema = call.options.get("source_schema")
        source = f"{self._name(schema)}.{quoted(table)}" if schema is not None else quoted(table)
        return self._refers(call, source, 2)

    def _batch_foreign(self, call: Call, table: str) -> list[str]:
        return self._refers(call, table, 1)

    def _refers(self, call: Call, source: str, first: int) -> list[str]:
        call.only(
            "constraint_name", "source_table", "referent_table", "local_cols", "remote_cols", "ondelete", "onupdate",
            "source_schema", "referent_schema", "deferrable", "initially", "postgresql_not_valid",
        )  # fmt: skip
        target = self._name(call.argument(first, "referent_table"))
        schema = call.options.get("referent_schema")
        target = f"{self._name(schema)}.{target}" if schema is not None else target
        columns = self._listed(call.argument(first + 1, "local_cols"))
        others = self._listed(call.argument(first + 2, "remote_cols"))
        tail = "".join(
            f" ON {name.removeprefix('on').upper()} {self._text(call.options[name])}"
            for name in ("ondelete", "onupdate")
            if name in call.options
        )
        tail += " DEFERRABLE" if self._flag(call, "deferrable") else ""
        tail += f" INITIALLY {self._text(call.options['initially'])}" if "initially" in call.options else ""
        return self._constraint(call, source, f"FOREIGN KEY ({columns}) REFERENCES {target} ({others}){tail}")

    def _constraint(self, call: Call, table: str, body: str) -> list[str]:
        node = call.argument(0, "constraint_name")
        unnamed = node is None or (isinstance(node, ast.Constant) and node.value is None)
        name = "" if unnamed else f"CONSTRAINT {self._name(node)} "
        valid = " NOT VALID" if self._flag(call, "postgresql_not_valid") else ""
        return [f"ALTER TABLE {table} ADD {name}{body}{valid}"]

    def _listed(self, node: ast.expr | None) -> str:
        return ", ".join(quoted(one) for one in self._texts(node))

    def _drop_constraint(self, call: Call) -> list[str]:
        call.only("constraint_name", "table_name", "type_", "schema", "if_exists")
        table = self._table(self._text(call.argument(1, "table_name")), call)
        return [f"ALTER TABLE {table} DROP CONSTRAINT {self._name(call.argument(0, 'constraint_name'))}"]

    def _batch_drop_constraint(self, call: Call, table: str) -> list[str]:
        call.only("constraint_name", "type_")
        return [f"ALTER TABLE {table} DROP CONSTRAINT {self._name(call.argument(0, 'constraint_name'))}"]

    def _comment(self, call: Call) -> list[str]:
        table = self._table(self._text(call.argument(0, "table_name")), call)
        return [f"COMMENT ON TABLE {table} IS {literal('')}"]


_OPERATIONS: Mapping[str, Callable[[Operations, Call], list[str]]] = {
    "create_table": Operations._create_table,
    "drop_table": Operations._drop_table,
    "rename_table": Operations._rename_table,
    "add_column": Operations._add_column,
    "drop_column": Operations._drop_column,
    "alter_column": Operations._alter_column,
    "create_index": Operations._create_index,
    "drop_index": Operations._drop_index,
    "create_unique_constraint": Operations._unique,
    "create_primary_key": Operations._primary,
    "create_check_constraint": Operations._check,
    "create_foreign_key": Operations._foreign,
    "drop_constraint": Operations._drop_constraint,
    "create_table_comment": Operations._comment,
    "drop_table_comment": Operations._comment,
}
_IN_BATCH: Mapping[str, Callable[[Operations, Call, str], list[str]]] = {
    "add_column": Operations._batch_add_column,
    "drop_column": Operations._batch_drop_column,
    "alter_column": Operations._batch_alter_column,
    "create_index": Operations._batch_create_index,
    "drop_index": Operations._batch_drop_index,
    "create_unique_constraint": Operations._batch_unique,
    "create_check_constraint": Operations._batch_check,
    "create_foreign_key": Operations._batch_foreign,
    "drop_constraint": Operations._batch_drop_constraint,
}
_NAMES: Mapping[type[ast.stmt], str] = {
    ast.For: "a loop",
    ast.While: "a loop",
    ast.If: "a condition",
    ast.Assign: "a variable",
    ast.AnnAssign: "a variable",
    ast.Try: "a try block",
    ast.With: "a with block",
    ast.Return: "a return, behind which nothing runs",
    ast.FunctionDef: "a function in a function",
}
