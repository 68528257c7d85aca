"""Django: the migrations of each app in the repository, with the tables that their operations speak of.

Django's own apps and those of other packages have migrations too; they lie in the image and not
here, and are no part of what is read.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Digest
from fairway.migrations.judgement import Judgement
from fairway.migrations.sources import python
from fairway.migrations.sources.django_operations import Operations
from fairway.migrations.sources.django_state import State
from fairway.migrations.sources.python import Names, Unclear, call_of, review
from fairway.migrations.sources.source import Script, Source, in_order, refuse_twice

_FOLDER = "migrations"
_APP = "apps.py"


@dataclass(frozen=True)
class _Migration:
    """One file. ``needs`` are pairs of app and name; ``replaces`` those that a squashed one stands for."""

    source: Source
    app: str
    body: ast.ClassDef
    module: ast.Module
    needs: tuple[tuple[str, str], ...]
    before: tuple[tuple[str, str], ...]
    replaces: tuple[tuple[str, str], ...]
    told: tuple[Judgement, ...]


def counts(directory: str, path: str) -> bool:
    """Say whether a file has a say: those in folders called ``migrations``, and what names an app."""
    whole = PurePosixPath(path)
    if whole.name == _APP:
        return True
    return whole.parent.name == _FOLDER and whole.suffix == ".py" and not whole.name.startswith(("_", "~"))


def read(directory: str, files: Mapping[str, bytes]) -> tuple[Source, ...]:
    """Read the migrations of every app, each after those that it depends on.

    Raises ``Invalid`` for what is missing among them, for several leaves of an app, and for a cycle.
    """
    migrations = [
        _migration(path, body, _label(path, files))
        for path, body in sorted(files.items())
        if PurePosixPath(path).name != _APP
    ]
    migrations = [one for one in migrations if one is not None]
    found = [one for one in migrations if one is not None]
    refuse_twice((one.source for one in found), "name")
    linked = _link(found)
    _refuse_leaves(linked)
    ordered = in_order((one.source for one in linked), key=lambda one: (one.id,), what="migrations")
    by_id = {one.source.id: one for one in linked}
    state = State()
    here = set(by_id)
    # What a squashed migration does was done by those that it replaces, as long as these are here.
    return tuple(
        _read_operations(by_id[one.id], state.copied() if here & set(one.replaces) else state) for one in ordered
    )


def _label(path: str, files: Mapping[str, bytes]) -> str:
    """Return an app's label: the name of its folder, unless its ``apps.py`` says another."""
    folder = PurePosixPath(path).parent.parent
    body = files.get(str(folder / _APP))
    if body is not None:
        module = python.parse(str(folder / _APP), body)
        labels = [
            python.text_of(statement.value, {})
            for node in module.body
            if isinstance(node, ast.ClassDef) and "AppConfig" in [python.last_name(base) for base in node.bases]
            for statement in node.body
            if isinstance(statement, ast.Assign)
            and [python.last_name(target) for target in statement.targets] == ["label"]
        ]
        if len(labels) == 1 and labels[0]:
            return labels[0]
    if not folder.name:
        raise Invalid(
            f"{path} is in no app",
            why="a Django app is the folder around its migrations, and its name is part of what is on record",
            hint="let migrations.path begin at the app's folder or above it",
        )
    return folder.name


def _migration(path: str, body: bytes, app: str) -> _Migration | None:
    module = python.parse(path, body)
    classes = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Migration"]
    name = PurePosixPath(path).stem
    if len(classes) != 1:
        raise Invalid(
            f"{path} has no class Migration" if not classes else f"{path} has several classes Migration",
            why="Django takes every Python file among the migrations for one",
            hint="begin the file's name with _ when it is none",
        )
    said = _assigned(classes[0])
    told = [
        review(node, "this runs when the file is loaded, before any migration")
        for node in module.body
        if not isinstance(
            node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
        )
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    told += [
        review(node, "this may change the migration's operations")
        for node in module.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and _gives_away(node)
    ]
    told += _not_plain(classes[0], module)
    replaces = _pairs(path, said.get("replaces"))
    return _Migration(
        source=Source(f"{app}.{name}", path, Digest.of(body), "", replaces=tuple(f"{a}.{n}" for a, n in replaces)),
        app=app,
        body=classes[0],
        module=module,
        needs=_pairs(path, said.get("dependencies")),
        before=_pairs(path, said.get("run_before")),
        replaces=replaces,
        told=tuple(told),
    )


def _gives_away(node: ast.Assign | ast.AnnAssign) -> bool:
    """Say whether an assignment gives the class another meaning, or a part of it."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(not isinstance(one, ast.Name) or one.id == "Migration" for one in targets)


def _not_plain(body: ast.ClassDef, module: ast.Module) -> list[Judgement]:
    """Judge what of a class is no plain assignment: from there, operations may come that nobody has read."""
    told = []
    direct = any(
        isinstance(node, ast.ImportFrom)
        and node.module in ("django.db.migrations", "django.db.migrations.migration")
        and any(alias.name == "Migration" and alias.asname is None for alias in node.names)
        for node in module.body
    )
    bases = ["migrations.Migration", "django.db.migrations.Migration", *(["Migration"] if direct else [])]
    if len(body.bases) != 1 or python.dotted(body.bases[0]) not in bases or body.keywords or body.decorator_list:
        told.append(review(body, "what it does may come from elsewhere: from another class, or from a decorator"))
    given: set[str] = set()
    for node in body.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            told.append(review(node, "a migration with methods of its own does what these do"))
            continue
        name = _plain_name(node)
        if name is None or (name and name in given):
            told.append(review(node, "what is no plain assignment, each name once, is decided when it runs"))
        given.add(name or "")
    return told


def _plain_name(node: ast.stmt) -> str | None:
    """Return the name that a plain assignment gives; empty for what does nothing, None for anything else."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    idle = isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    return "" if idle else None


def _assigned(body: ast.ClassDef) -> dict[str, ast.expr]:
    said: dict[str, ast.expr] = {}
    for node in body.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            said[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            said[node.target.id] = node.value
    return said


def _pairs(path: str, node: ast.expr | None) -> tuple[tuple[str, str], ...]:
    """Read pairs of app and name; what is swapped in by the settings is another package's, or first of its app."""
    if node is None:
        return ()
    pairs: list[tuple[str, str]] = []
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else None
    for one in elements or ():
        call = call_of(one)
        if call is not None and call.name == "swappable_dependency":
            continue
        try:
            value = python.value_of(one)
        except Unclear:
            value = None
        if not (isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(part, str) for part in value)):
            raise Invalid(
                f"{path}, line {one.lineno}: a dependency cannot be read: {python.written(one)}",
                hint='write it as ("app", "name")',
            )
        pairs.append((value[0], value[1]))
    if elements is None:
        raise Invalid(f"{path}, line {node.lineno}: the dependencies are no plain list", hint="write them as a list")
    return tuple(pairs)


def _link(migrations: list[_Migration]) -> list[_Migration]:
    """Give every migration its parents, all of those that lie here checked."""
    apps = {one.app for one in migrations}
    ids = {one.source.id for one in migrations}
    gone = {f"{app}.{name}" for one in migrations for app, name in one.replaces} - ids
    parents: dict[str, list[str]] = {one.source.id: [] for one in migrations}
    for one in migrations:
        for app, name in one.needs:
            if name in ("__first__", "__latest__"):
                parents[one.source.id] += _ends(migrations, app, first=name == "__first__")
                continue
            wanted = f"{app}.{name}"
            if app in apps and wanted not in ids and wanted not in gone:
                raise Invalid(
                    f"{one.source.path} depends on {wanted}, which is not there",
                    why="the chain of migrations is broken: no database can be brought to it",
                    hint="add the missing file to Git, or correct the dependencies",
                )
            squashed = [other.source.id for other in migrations if wanted in gone and (app, name) in other.replaces]
            parents[one.source.id] += squashed or [wanted]
        for app, name in one.before:
            if f"{app}.{name}" in parents:
                parents[f"{app}.{name}"].append(one.source.id)
    return [
        replace(one, source=replace(one.source, parents=tuple(dict.fromkeys(parents[one.source.id]))))
        for one in migrations
    ]


def _ends(migrations: list[_Migration], app: str, *, first: bool) -> list[str]:
    own = [one for one in migrations if one.app == app]
    if first:
        return [one.source.id for one in own if not any(needed == app for needed, _ in one.needs)]
    followed = {name for one in own for needed, name in one.needs if needed == app}
    return [one.source.id for one in own if one.source.id.removeprefix(f"{app}.") not in followed]


def _refuse_leaves(migrations: list[_Migration]) -> None:
    replaced = {f"{app}.{name}" for one in migrations for app, name in one.replaces}
    own = [one for one in migrations if one.source.id not in replaced]
    apps = {one.source.id: one.app for one in own}
    followed = {parent for one in own for parent in one.source.parents if apps.get(parent) == one.app}
    leaves = [one for one in own if one.source.id not in followed]
    for app, count in Counter(one.app for one in leaves).items():
        if count > 1:
            listed = "\n".join(one.source.path for one in leaves if one.app == app)
            raise Invalid(
                f"the app {app} has {count} last migrations",
                why=f"manage.py migrate does not know which of them to bring a database to:\n{listed}",
                hint="join them: python manage.py makemigrations --merge",
            )


def _read_operations(migration: _Migration, state: State) -> Source:
    script = Script()
    operations = Operations(migration.app, Names.of(migration.module), state, script)
    node = _assigned(migration.body).get("operations")
    told = list(migration.told)
    if node is not None:
        told += operations.read(node)
    if migration.told:
        state.doubt(migration.app)
    return replace(migration.source, sql=script.text, told=tuple(told), spoken=script.spoken)
