"""The tables and fields that Django's migrations have made so far, and of which of them that is not certain."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from fairway.migrations.sources.python import Names, Unclear


@dataclass(frozen=True)
class Field:
    """A field as a migration writes it, with what the names in that module mean."""

    node: ast.expr
    names: Names


#: What several fields are together, among the names of fields that are in doubt.
TOGETHER = "unique together"


@dataclass
class Model:
    """A model's table, and its fields. Those in doubt may have become something else in what could not be read."""

    table: str
    managed: bool = True
    fields: dict[str, Field] = field(default_factory=dict)
    unique_together: set[tuple[str, ...]] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)

    def copied(self) -> Model:
        """Return one of the same content."""
        return Model(self.table, self.managed, dict(self.fields), set(self.unique_together), set(self.doubtful))


class State:
    """The models by app and lower-case name."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], Model] = {}
        self._former: set[str] = set()

    def put(self, app: str, name: str, model: Model) -> None:
        self._models[app, name.lower()] = model

    def get(self, app: str, name: str) -> Model:
        """Return a model. Raises ``Unclear`` for one that no migration here has made."""
        try:
            return self._models[app, name.lower()]
        except KeyError:
            raise Unclear(f"no migration that could be read makes the model {app}.{name}") from None

    def drop(self, app: str, name: str) -> Model:
        model = self.get(app, name)
        del self._models[app, name.lower()]
        self._former.add(f"{app}.{name.lower()}")
        return model

    def is_certain(self, target: str) -> bool:
        """Say whether a name has always meant the same model, as far as it is known here."""
        return target not in self._former

    def doubt(self, app: str, name: str | None = None, one: str | None = None) -> None:
        """Note that a field, all of a model or all of an app may have become something else."""
        for (of, called), model in self._models.items():
            if of == app and name in (None, called):
                model.doubtful |= {*model.fields, TOGETHER} if one is None else {one}

    def related(self) -> list[tuple[str, Model, Field]]:
        """Return every field with its app and its model."""
        return [(app, model, one) for (app, _), model in self._models.items() for one in model.fields.values()]

    def copied(self) -> State:
        """Return one of the same content, to try something on."""
        other = State()
        other._models = {key: model.copied() for key, model in self._models.items()}
        other._former = set(self._former)
        return other

    def table_of(self, app: str, name: str) -> str:
        """Return a model's table, by Django's rule where the model is another package's."""
        try:
            return self.get(app, name).table
        except Unclear:
            return f"{app}_{name.lower()}"
