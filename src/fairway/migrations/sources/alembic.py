"""Alembic: revisions that name the ones they follow, and their ``upgrade()`` as SQL, where it is certain."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Digest
from fairway.migrations.judgement import Judgement
from fairway.migrations.sources import python
from fairway.migrations.sources.alembic_operations import Operations
from fairway.migrations.sources.python import Unclear, review
from fairway.migrations.sources.source import Script, Source, below, in_order, refuse_twice

_VERSIONS = "versions"


@dataclass(frozen=True)
class _Revision:
    source: Source
    follows: tuple[str, ...]
    needs: tuple[str, ...]
    labels: tuple[str, ...]


def counts(directory: str, path: str) -> bool:
    """Say whether a file is a revision: Python, and below ``versions`` where the directory has that."""
    name = PurePosixPath(path).name
    return name.endswith(".py") and not name.startswith(("__init__", ".#"))


def read(directory: str, files: Mapping[str, bytes]) -> tuple[Source, ...]:
    """Read the revisions, each after those that it follows.

    Raises ``Invalid`` for a file without a revision, one revision twice, a broken chain, a cycle,
    and several heads.
    """
    inside = {path for path in files if _VERSIONS in below(directory, path).parts[:-1]}
    revisions = [_revision(path, files[path]) for path in sorted(inside or files)]
    refuse_twice((one.source for one in revisions), "revision")
    sources = [_with_parents(one, revisions) for one in revisions]
    ordered = in_order(sources, key=lambda one: (one.id,), what="revisions")
    _refuse_heads(ordered, {parent for one in revisions for parent in one.follows})
    return ordered


def _revision(path: str, body: bytes) -> _Revision:
    module = python.parse(path, body)
    said = _assigned(module)
    if "revision" not in said:
        raise Invalid(
            f"{path} names no revision",
            why="every file among Alembic's versions says which revision it is",
            hint='write revision = "...", or move the file out of migrations.path',
        )
    revision = _names(path, said, "revision")
    if len(revision) != 1:
        raise Invalid(f"{path}: revision must be one name")
    if "down_revision" not in said:
        raise Invalid(f"{path} does not say which revision it follows", hint="write down_revision; None for the first")
    script = Script()
    told = _upgrade(path, module, script)
    source = Source(revision[0], path, Digest.of(body), script.text, told=told, spoken=script.spoken)
    return _Revision(
        source,
        _names(path, said, "down_revision"),
        _names(path, said, "depends_on"),
        _names(path, said, "branch_labels"),
    )


def _assigned(module: ast.Module) -> dict[str, ast.expr]:
    said: dict[str, ast.expr] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            said[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            said[node.target.id] = node.value
    return said


def _names(path: str, said: Mapping[str, ast.expr], key: str) -> tuple[str, ...]:
    node = said.get(key)
    if node is None:
        return ()
    try:
        value = python.value_of(node)
    except Unclear as error:
        raise Invalid(
            f"{path}, line {node.lineno}: {key} cannot be read: {error}", hint="write it as a literal"
        ) from None
    names = value if isinstance(value, tuple | list | set) else () if value is None else (value,)
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise Invalid(f"{path}, line {node.lineno}: {key} must name revisions", hint="write them as strings")
    return tuple(sorted(names)) if isinstance(names, set) else tuple(names)


def _with_parents(one: _Revision, revisions: list[_Revision]) -> Source:
    known = {other.source.id for other in revisions}
    for parent in one.follows:
        if parent not in known:
            raise Invalid(
                f"{one.source.path} follows the revision {parent}, which is not there",
                why="the chain of revisions is broken: no database can be brought to it",
                hint="add the missing file to Git, or correct down_revision",
            )
    needs = [_resolve(one, name, revisions) for name in one.needs]
    parents = tuple(dict.fromkeys([*one.follows, *needs]))
    return Source(**{**vars(one.source), "parents": parents})


def _resolve(one: _Revision, name: str, revisions: list[_Revision]) -> str:
    wanted = name.partition("@")[0]
    for other in revisions:
        if name == other.source.id or wanted in other.labels:
            return other.source.id
    close = [other.source.id for other in revisions if other.source.id.startswith(name)]
    if len(close) == 1:
        return close[0]
    raise Invalid(
        f"{one.source.path} depends on the revision {name}, which is not there",
        hint="add the missing file to Git, or correct depends_on",
    )


def _refuse_heads(ordered: tuple[Source, ...], followed: set[str]) -> None:
    heads = [one for one in ordered if one.id not in followed]
    if len(heads) > 1:
        listed = "\n".join(f"{one.id} in {one.path}" for one in heads)
        raise Invalid(
            f"there are {len(heads)} heads among the revisions",
            why=f"alembic upgrade head does not know which of them to bring a database to:\n{listed}",
            hint=f"join them: alembic merge {' '.join(one.id for one in heads)}",
        )


def _upgrade(path: str, module: ast.Module, script: Script) -> tuple[Judgement, ...]:
    functions = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "upgrade"
    ]
    if not functions:
        raise Invalid(f"{path} has no upgrade()", hint="write one, with pass in it when there is nothing to do")
    told = [
        review(node, "this runs when the file is loaded, before any migration")
        for node in module.body
        if not _harmless(node) or _runs(node, _of_alembic(module))
    ]
    told += [
        review(node, "it may give upgrade() another meaning") for node in module.body if "upgrade" in _given_by(node)
    ]
    function = functions[-1]
    if len(functions) > 1 or function.decorator_list or isinstance(function, ast.AsyncFunctionDef):
        return (*told, review(function, "upgrade() is not one plain function"))
    operations = Operations(python.constants_of(module), _names_of_op(module), script)
    return (*told, *operations.read(function.body))


def _harmless(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return python.last_name(node.test) == "TYPE_CHECKING" and not node.orelse
    return isinstance(
        node,
        ast.Import
        | ast.ImportFrom
        | ast.Assign
        | ast.AnnAssign
        | ast.FunctionDef
        | ast.ClassDef
        | ast.AsyncFunctionDef,
    )


def _runs(node: ast.stmt, names: frozenset[str]) -> bool:
    """Say whether a statement calls something of Alembic's when the file is loaded: all of it but functions' bodies."""
    parts: list[ast.AST] = [node]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        parts = [*node.decorator_list, *node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)]
    calls = [one for part in parts for one in ast.walk(part) if isinstance(one, ast.Call)]
    return any(isinstance(one, ast.Name) and one.id in names for call in calls for one in ast.walk(call))


def _of_alembic(module: ast.Module) -> frozenset[str]:
    """Return every name that a module imports from Alembic."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "alembic":
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            mine = [alias for alias in node.names if alias.name.split(".")[0] == "alembic"]
            names |= {alias.asname or "alembic" for alias in mine}
    return frozenset(names)


def _given_by(node: ast.stmt) -> set[str]:
    """Return the names that a statement other than a function gives a meaning."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load)}
    return set()


def _names_of_op(module: ast.Module) -> frozenset[str]:
    """Return what ``alembic.op`` is called in a module, by its imports, unless the name is given away again."""
    names: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and node.module == "alembic":
            names |= {alias.asname or alias.name for alias in node.names if alias.name == "op"}
        elif isinstance(node, ast.Import):
            names |= {alias.asname for alias in node.names if alias.name == "alembic.op" and alias.asname}
            names |= {
                "alembic.op" for alias in node.names if alias.name in ("alembic", "alembic.op") and not alias.asname
            }
    taken = {node.id for node in ast.walk(module) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    taken |= {node.arg for node in ast.walk(module) if isinstance(node, ast.arg)}
    return frozenset(names - taken)
