"""What Django's operations do, as the SQL that they become on PostgreSQL."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from fairway.migrations.judgement import Judgement
from fairway.migrations.sources import python
from fairway.migrations.sources.django_columns import Column, altered, column_of, index_on
from fairway.migrations.sources.django_state import TOGETHER, Field, Model, State
from fairway.migrations.sources.python import Call, Names, Unclear, call_of, review
from fairway.migrations.sources.source import Script, quoted

_EXTENSIONS = {
    "BtreeGinExtension": "btree_gin", "BtreeGistExtension": "btree_gist", "CITextExtension": "citext",
    "CryptoExtension": "pgcrypto", "HStoreExtension": "hstore", "TrigramExtension": "pg_trgm",
    "UnaccentExtension": "unaccent", "BloomExtension": "bloom",
}  # fmt: skip

_INDEXES = {
    "Index": "", "BTreeIndex": "USING btree ", "HashIndex": "USING hash ", "GinIndex": "USING gin ",
    "GistIndex": "USING gist ", "SpGistIndex": "USING spgist ", "BrinIndex": "USING brin ",
}  # fmt: skip
_OF_A_FIELD = frozenset(("AddField", "AlterField"))
_OF_A_MODEL = frozenset(
    ("RemoveField", "RenameField", "AlterUniqueTogether", "AlterModelTable", "AlterModelOptions", "CreateModel")
)
#: What leaves every field what it is, to Django and so to the migrations that follow.
_OF_NO_FIELD = frozenset((
    "AddConstraint", "AddConstraintNotValid", "AddIndex", "AddIndexConcurrently", "AlterConstraint",
    "AlterIndexTogether", "AlterModelManagers", "AlterModelTableComment", "AlterOrderWithRespectTo",
    "CreateCollation", "CreateExtension", "DeleteModel", "RemoveCollation", "RemoveConstraint", "RemoveIndex",
    "RemoveIndexConcurrently", "RenameIndex", "RenameModel", "RunPython", "RunSQL", "ValidateConstraint", *_EXTENSIONS,
))  # fmt: skip


class Operations:
    """Reads the operations of one migration into a script; what is not plain comes back as judgements."""

    def __init__(self, app: str, names: Names, state: State, script: Script) -> None:
        self._app = app
        self._names = names
        self._state = state
        self._script = script
        self._told: list[Judgement] = []
        self._writes = True

    def read(self, node: ast.expr) -> tuple[Judgement, ...]:
        """Read a list of operations in order."""
        self._list(node)
        return tuple(self._told)

    def _list(self, node: ast.expr) -> None:
        if not isinstance(node, ast.List | ast.Tuple):
            self._told.append(review(node, "the operations are no plain list"))
            self._state.doubt(self._app)
            return
        for one in node.elts:
            try:
                self._operation(one)
            except Unclear as unclear:
                self._told.append(review(one, str(unclear)))
                self._doubt(call_of(one))

    def _doubt(self, call: Call | None) -> None:
        """Note which fields may be something else after an operation that could not be read."""
        if call is None or not self._is_django(call):
            self._state.doubt(self._app)
        elif call.name in _OF_A_FIELD or call.name in _OF_A_MODEL:
            model = python.text_of(call.argument(0, "model_name", "name"), self._names.constants)
            one = python.text_of(call.argument(1, "name"), self._names.constants)
            alone = one if call.name in _OF_A_FIELD else None
            self._state.doubt(self._app, model.lower() if model is not None else None, alone)
        elif call.name not in _OF_NO_FIELD:
            self._state.doubt(self._app)

    def _is_django(self, call: Call) -> bool:
        return self._names.origin(call.node.func).startswith("django.")

    def _operation(self, node: ast.expr) -> None:
        call = call_of(node)
        if call is None:
            raise Unclear("not a plain operation with plain arguments")
        if not self._is_django(call):
            raise Unclear(f"the effect of {python.dotted(call.node.func) or 'this'} cannot be told from the text")
        if call.name in _EXTENSIONS:
            self._write(call, f"CREATE EXTENSION IF NOT EXISTS {_EXTENSIONS[call.name]}")
            return
        read = _OPERATIONS.get(call.name)
        if read is None:
            raise Unclear(f"the effect of {call.name or 'this'} cannot be told from the text")
        read(self, call)

    def _write(self, call: Call, *statements: str) -> None:
        if self._writes:
            for sql in statements:
                self._script.add(sql, call.line, words=python.written(call.node))

    # -- arguments

    def _text(self, call: Call, position: int, name: str) -> str:
        node = call.argument(position, name)
        text = python.text_of(node, self._names.constants)
        if text is None:
            raise Unclear(f"{name} is no literal")
        return text

    def _field(self, call: Call, position: int) -> Field:
        node = call.argument(position, "field")
        if node is None or call_of(node) is None:
            raise Unclear("the field is no plain call")
        return Field(node, self._names)

    def _column(self, name: str, one: Field) -> Column | None:
        call = call_of(one.node)
        if call is None:
            raise Unclear(f"the field {name} is no plain call")
        return column_of(name, call, self._app, self._state, one.names)

    def _columns(self, model: Model, node: ast.expr | None) -> list[str]:
        value = python.value_of(node)
        if not isinstance(value, list | tuple) or not value or not all(isinstance(one, str) for one in value):
            raise Unclear("the fields are no plain list of names")
        return [self._name_of(model, str(one).lstrip("-")) for one in value]

    def _name_of(self, model: Model, name: str) -> str:
        if name not in model.fields:
            return name
        column = self._column(name, model.fields[name])
        return column.name if column is not None else name

    # -- models

    def _create_model(self, call: Call) -> None:
        name = self._text(call, 0, "name")
        options = _literal_options(call.options.get("options"))
        managed = options.get("managed") is not False and options.get("proxy") is not True
        table = options.get("db_table") or f"{self._app}_{name.lower()}"
        if not isinstance(table, str):
            raise Unclear("db_table is no literal")
        model = Model(table, managed, unique_together=_together(options.get("unique_together")))
        fields = call.argument(1, "fields")
        if not isinstance(fields, ast.List | ast.Tuple):
            raise Unclear("the fields are no plain list")
        for pair in fields.elts:
            if not isinstance(pair, ast.Tuple) or len(pair.elts) != 2:
                raise Unclear("the fields are no plain list of pairs")
            named = python.text_of(pair.elts[0], self._names.constants)
            if named is None:
                raise Unclear("a field's name is no literal")
            model.fields[named] = Field(pair.elts[1], self._names)
        self._state.put(self._app, name, model)
        if managed:
            self._write(call, *self._tables(name, model))

    def _tables(self, name: str, model: Model) -> list[str]:
        columns = [(one, self._column(one, written)) for one, written in model.fields.items()]
        parts = [column.definition() for _, column in columns if column is not None]
        for fields in sorted(model.unique_together):
            parts.append(f"UNIQUE ({', '.join(quoted(self._name_of(model, one)) for one in fields)})")
        statements = [f"CREATE TABLE {quoted(model.table)} ({', '.join(parts)})"]
        for one, column in columns:
            if column is None:
                statements += self._between(name, model, one)
            elif column.indexed:
                statements.append(index_on(model.table, column.name))
        return statements

    def _between(self, name: str, model: Model, one: str) -> list[str]:
        """Return the table of a many-to-many field."""
        call = _between_tables(model.fields[one])
        if call is None:
            return []
        table = python.text_of(call.options.get("db_table"), self._names.constants) or f"{model.table}_{one}"
        own = f"{quoted(f'{name.lower()}_id')} bigint NOT NULL REFERENCES {quoted(model.table)}"
        target = python.text_of(call.argument(0, "to"), self._names.constants)
        if target is None:
            raise Unclear("what the relation leads to is no literal")
        app, dot, other = target.rpartition(".")
        there = model.table if target == "self" else self._state.table_of(app if dot else self._app, other)
        far = f'"other_id" bigint NOT NULL REFERENCES {quoted(there)}'
        return [
            f'CREATE TABLE {quoted(table)} ("id" bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, {own}, {far})'
        ]

    def _delete_model(self, call: Call) -> None:
        model = self._state.drop(self._app, self._text(call, 0, "name"))
        if model.managed:
            self._write(call, f"DROP TABLE {quoted(model.table)} CASCADE")

    def _rename_model(self, call: Call) -> None:
        old, new = self._text(call, 0, "old_name"), self._text(call, 1, "new_name")
        model = self._state.drop(self._app, old)
        before = model.table
        if before == f"{self._app}_{old.lower()}":
            model.table = f"{self._app}_{new.lower()}"
        self._state.put(self._app, new, model)
        if model.managed and model.table != before:
            self._write(call, f"ALTER TABLE {quoted(before)} RENAME TO {quoted(model.table)}")
        elif model.managed and any(self._leads_to(of, one, old) for of, _, one in self._state.related()):
            raise Unclear("whether the columns between many are renamed depends on Django's version")

    def _leads_to(self, app: str, one: Field, name: str) -> bool:
        """Say whether a relation between many has a column that is named after a model; its own has, too."""
        call = _between_tables(one)
        if call is None:
            return False
        target = python.text_of(call.argument(0, "to"), one.names.constants)
        return target is None or app == self._app or target.rpartition(".")[2].lower() == name.lower()

    def _alter_table(self, call: Call) -> None:
        name = self._text(call, 0, "name")
        model = self._state.get(self._app, name)
        value = python.value_of(call.argument(1, "table"))
        before, model.table = model.table, str(value or f"{self._app}_{name.lower()}")
        if model.managed and model.table != before:
            self._write(call, f"ALTER TABLE {quoted(before)} RENAME TO {quoted(model.table)}")

    def _alter_options(self, call: Call) -> None:
        options = _literal_options(call.argument(1, "options"))
        if "managed" in options:
            raise Unclear("it changes whether Django keeps the table")

    def _nothing(self, call: Call) -> None:
        pass

    def _unique_together(self, call: Call) -> None:
        model = self._state.get(self._app, self._text(call, 0, "name"))
        wanted = _together(python.value_of(call.argument(1, "unique_together")))
        before, model.unique_together = model.unique_together, wanted
        for fields in sorted(wanted - before):
            columns = ", ".join(quoted(self._name_of(model, one)) for one in fields)
            self._write(call, f"ALTER TABLE {quoted(model.table)} ADD UNIQUE ({columns})")
        for fields in sorted(before - wanted):
            self._write(call, f"ALTER TABLE {quoted(model.table)} DROP CONSTRAINT {quoted('_'.join(fields))}")
        self._settle(call, model, TOGETHER)

    # -- fields

    def _add_field(self, call: Call) -> None:
        model_name, name = self._text(call, 0, "model_name"), self._text(call, 1, "name")
        model = self._state.get(self._app, model_name)
        model.fields[name] = self._field(call, 2)
        model.doubtful.discard(name)
        column = self._column(name, model.fields[name])
        if not model.managed:
            return
        if column is None:
            self._write(call, *self._between(model_name, model, name))
            return
        self._write(call, f"ALTER TABLE {quoted(model.table)} ADD COLUMN {column.definition()}")
        if column.indexed:
            self._write(call, index_on(model.table, column.name))

    def _remove_field(self, call: Call) -> None:
        model = self._state.get(self._app, self._text(call, 0, "model_name"))
        name = self._text(call, 1, "name")
        written = model.fields.pop(name, None)
        if written is None:
            raise Unclear(f"no migration that could be read adds the field {name}")
        column = self._column(name, written)
        if not model.managed:
            return
        if column is not None:
            self._write(call, f"ALTER TABLE {quoted(model.table)} DROP COLUMN {quoted(column.name)} CASCADE")
            return
        inner = _between_tables(written)
        if inner is not None:
            table = python.text_of(inner.options.get("db_table"), self._names.constants) or f"{model.table}_{name}"
            self._write(call, f"DROP TABLE {quoted(table)} CASCADE")

    def _alter_field(self, call: Call) -> None:
        model = self._state.get(self._app, self._text(call, 0, "model_name"))
        name = self._text(call, 1, "name")
        before, after = model.fields.get(name), self._field(call, 2)
        model.fields[name] = after
        new = self._column(name, after)
        # From here on it is known what the field is, whatever it was.
        try:
            if before is None:
                raise Unclear(f"no migration that could be read adds the field {name}")
            self._change(call, model, (before, self._column(name, before)), (after, new))
        except Unclear as unclear:
            self._told.append(review(call.node, str(unclear)))
        self._settle(call, model, name)

    def _change(
        self, call: Call, model: Model, old: tuple[Field, Column | None], new: tuple[Field, Column | None]
    ) -> None:
        """Write what brings a field from what it was to what it is."""
        (before, was), (after, now) = old, new
        if was is None or now is None:
            if was is not now or ast.dump(before.node) != ast.dump(after.node):
                raise Unclear("it changes a relation between many")
            return
        if not all(self._state.is_certain(one.target) for one in (was, now)):
            raise Unclear("the model that it leads to was renamed, or made again under its name")
        if model.managed:
            self._write(call, *altered(model.table, was, now))

    def _settle(self, call: Call, model: Model, one: str) -> None:
        """Leave it to a person where something is changed of which it was not certain what it was; now it is."""
        if one in model.doubtful:
            model.doubtful.discard(one)
            reason = "what it was before cannot be told: an earlier operation could not be read"
            self._told.append(review(call.node, reason))

    def _rename_field(self, call: Call) -> None:
        model = self._state.get(self._app, self._text(call, 0, "model_name"))
        old, new = self._text(call, 1, "old_name"), self._text(call, 2, "new_name")
        if old not in model.fields:
            raise Unclear(f"no migration that could be read adds the field {old}")
        before = self._column(old, model.fields[old])
        model.fields[new] = model.fields.pop(old)
        model.doubtful = {new if one == old else one for one in model.doubtful}
        renamed = {tuple(new if one == old else one for one in fields) for fields in model.unique_together}
        model.unique_together = renamed
        after = self._column(new, model.fields[new])
        if before is None or after is None:
            raise Unclear("it renames a relation between many, and its table")
        if model.managed and before.name != after.name:
            change = f"RENAME COLUMN {quoted(before.name)} TO {quoted(after.name)}"
            self._write(call, f"ALTER TABLE {quoted(model.table)} {change}")

    # -- indexes and constraints

    def _add_index(self, call: Call) -> None:
        model = self._state.get(self._app, self._text(call, 0, "model_name"))
        node = call.argument(1, "index")
        index = call_of(node) if node is not None else None
        if index is None or index.arguments:
            raise Unclear("an index on an expression, which may fail for what the previous release writes")
        using = _INDEXES.get(index.name)
        if using is None or not self._is_django(index):
            raise Unclear(f"the effect of the index {index.name} cannot be told from the text")
        index.only("fields", "name", "opclasses", "db_tablespace", "include", "fastupdate", "pages_per_range")
        columns = ", ".join(quoted(one) for one in self._columns(model, index.options.get("fields")))
        how = "CONCURRENTLY " if call.name.endswith("Concurrently") else ""
        name = quoted(self._text(index, 9, "name"))
        if model.managed:
            self._write(call, f"CREATE INDEX {how}{name} ON {quoted(model.table)} {using}({columns})")

    def _remove_index(self, call: Call) -> None:
        how = "CONCURRENTLY " if call.name.endswith("Concurrently") else ""
        self._write(call, f"DROP INDEX {how}{quoted(self._text(call, 1, 'name'))}")

    def _rename_index(self, call: Call) -> None:
        call.only("model_name", "old_name", "new_name")
        old, new = self._text(call, 9, "old_name"), self._text(call, 9, "new_name")
        self._write(call, f"ALTER INDEX {quoted(old)} RENAME TO {quoted(new)}")

    def _add_constraint(self, call: Call) -> None:
        model = self._state.get(self._app, self._text(call, 0, "model_name"))
        node = call.argument(1, "constraint")
        constraint = call_of(node) if node is not None else None
        if constraint is None or not self._is_django(constraint):
            raise Unclear("the constraint is no plain call of Django's own")
        constraint.only(
            "name", "fields", "condition", "deferrable", "include", "opclasses", "check", "violation_error_message",
            "violation_error_code",
        )  # fmt: skip
        name = quoted(self._text(constraint, 9, "name"))
        table = quoted(model.table)
        if constraint.name == "UniqueConstraint" and "fields" in constraint.options:
            columns = ", ".join(quoted(one) for one in self._columns(model, constraint.options["fields"]))
            body = f"UNIQUE ({columns})"
        elif constraint.name == "CheckConstraint":
            # Which rows it lets through is not told: any check may refuse what the previous release writes.
            known = [column.name for one, written in model.fields.items() if (column := self._column(one, written))]
            body = f"CHECK ({quoted(known[0] if known else 'id')} IS NOT NULL)"
        else:
            raise Unclear(f"the effect of the constraint {constraint.name} cannot be told from the text")
        if model.managed:
            self._write(call, f"ALTER TABLE {table} ADD CONSTRAINT {name} {body}")

    def _remove_constraint(self, call: Call) -> None:
        model = self._state.get(self._app, self._text(call, 0, "model_name"))
        name = quoted(self._text(call, 1, "name"))
        self._write(call, f"ALTER TABLE {quoted(model.table)} DROP CONSTRAINT {name}")

    # -- anything else

    def _run_sql(self, call: Call) -> None:
        try:
            self._write_sql(call, call.argument(0, "sql"))
        finally:
            self._follow_state(call.argument(2, "state_operations"))

    def _write_sql(self, call: Call, node: ast.expr | None) -> None:
        parts = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
        texts: list[tuple[str, ast.expr]] = []
        for part in parts:
            if isinstance(part, ast.Tuple) and part.elts:
                part = part.elts[0]
            text = "" if part is not None and python.dotted(part).endswith("RunSQL.noop") else None
            text = python.text_of(part, self._names.constants) if text is None else text
            if text is None or part is None:
                raise Unclear("the SQL is put together when it runs")
            texts.append((text, part))
        for text, part in texts:
            if not self._writes:
                continue
            if isinstance(part, ast.Name):
                self._script.add(text, call.line, words=text)
            else:
                self._script.add(text, python.first_line_of(part))

    def _run_python(self, call: Call) -> None:
        node = call.argument(0, "code")
        if node is None or not python.dotted(node).endswith("RunPython.noop"):
            raise Unclear("a program: what it does to the data cannot be told from its text")

    def _separate(self, call: Call) -> None:
        database, state = call.argument(0, "database_operations"), call.argument(1, "state_operations")
        if database is not None:
            self._list(database)
        self._follow_state(state)

    def _follow_state(self, node: ast.expr | None) -> None:
        """Follow operations that change only what Django thinks of the tables."""
        if node is None:
            return
        before, self._writes = self._writes, False
        try:
            told, self._told = self._told, []
            self._list(node)
            self._told = told
        finally:
            self._writes = before

    def _extension(self, call: Call) -> None:
        self._write(call, f"CREATE EXTENSION IF NOT EXISTS {quoted(self._text(call, 0, 'name'))}")


def _between_tables(written: Field) -> Call | None:
    """Return the field when it is a relation between many that has a table of its own."""
    call = call_of(written.node)
    return call if call is not None and call.name == "ManyToManyField" and "through" not in call.options else None


def _literal_options(node: ast.expr | None) -> dict[str, object]:
    """Return the options of a model that are literals; others say nothing to the database."""
    if node is None:
        return {}
    if not isinstance(node, ast.Dict):
        raise Unclear("the options are no plain dictionary")
    found: dict[str, object] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if not isinstance(key, ast.Constant):
            raise Unclear("the names of the options are no literals")
        name = key.value
        if name in ("constraints", "indexes"):
            continue
        try:
            found[str(name)] = python.value_of(value)
        except Unclear:
            if name in ("db_table", "managed", "proxy", "unique_together"):
                raise
    return found


def _together(value: object) -> set[tuple[str, ...]]:
    if not value:
        return set()
    if not isinstance(value, set | list | tuple):
        raise Unclear("unique_together is no plain set")
    groups = [value] if all(isinstance(one, str) for one in value) else list(value)
    return {tuple(str(one) for one in group) for group in groups if isinstance(group, list | tuple | set)}


_OPERATIONS: Mapping[str, Callable[[Operations, Call], None]] = {
    "CreateModel": Operations._create_model,
    "DeleteModel": Operations._delete_model,
    "RenameModel": Operations._rename_model,
    "AlterModelTable": Operations._alter_table,
    "AlterModelOptions": Operations._alter_options,
    "AlterModelManagers": Operations._nothing,
    "AlterModelTableComment": Operations._nothing,
    "AlterUniqueTogether": Operations._unique_together,
    "AddField": Operations._add_field,
    "RemoveField": Operations._remove_field,
    "AlterField": Operations._alter_field,
    "RenameField": Operations._rename_field,
    "AddIndex": Operations._add_index,
    "AddIndexConcurrently": Operations._add_index,
    "RemoveIndex": Operations._remove_index,
    "RemoveIndexConcurrently": Operations._remove_index,
    "RenameIndex": Operations._rename_index,
    "AddConstraint": Operations._add_constraint,
    "RemoveConstraint": Operations._remove_constraint,
    "RunSQL": Operations._run_sql,
    "RunPython": Operations._run_python,
    "SeparateDatabaseAndState": Operations._separate,
    "CreateExtension": Operations._extension,
}
