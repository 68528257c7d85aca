"""Migrations that are Python: their syntax tree, and the literals in it. Nothing is ever imported or run."""

from __future__ import annotations

import ast
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.manifest import Verdict
from fairway.migrations.judgement import Judgement
from fairway.migrations.sources.source import decoded, one_line

_SAFE_WAY = (
    "write it as plain calls with literal arguments, one after the other; "
    "keep what needs Python in a migration of its own, which a person looks at"
)


class Unclear(Exception):
    """What a call means cannot be said for certain; the text says why."""


@dataclass(frozen=True)
class Names:
    """What the names of a module stand for: the strings they are given, and what they are imported from."""

    constants: Mapping[str, str]
    imports: Mapping[str, str]

    @classmethod
    def of(cls, module: ast.Module) -> Names:
        """Read a module's own."""
        return cls(constants_of(module), imports_of(module))

    def origin(self, node: ast.expr) -> str:
        """Return in full what a dotted name means, ``django.db.models.TextField``; empty when that is not certain."""
        root, _, rest = dotted(node).partition(".")
        found = self.imports.get(root, "")
        return f"{found}.{rest}" if found and rest else found


@dataclass(frozen=True)
class Call:
    """A call's name behind its module, ``create_table`` of ``op.create_table``, and its arguments."""

    node: ast.Call
    name: str
    arguments: Sequence[ast.expr]
    options: Mapping[str, ast.expr]

    @property
    def line(self) -> int:
        return self.node.lineno

    def argument(self, position: int, *names: str) -> ast.expr | None:
        """Return an argument by its position or one of its names."""
        if position < len(self.arguments):
            return self.arguments[position]
        return next((self.options[name] for name in names if name in self.options), None)

    def only(self, *known: str) -> None:
        """Raise ``Unclear`` for an option that is not among the known ones."""
        for name in self.options:
            if name not in known:
                raise Unclear(f"{self.name}() has the option {name}, whose effect is not known here")


def parse(path: str, body: bytes) -> ast.Module:
    """Parse a migration. Raises ``Invalid`` with the line when it is no Python."""
    text = decoded(path, body)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in other people's strings
            return ast.parse(text)
    except SyntaxError as error:
        raise Invalid(f"{path}, line {error.lineno or 1}: not Python: {error.msg}") from None
    except (RecursionError, MemoryError, ValueError):
        raise Invalid(f"{path}: too deeply nested to be read") from None


def call_of(node: ast.expr) -> Call | None:
    """Read a call with plain arguments; None for one with ``*`` or ``**``, and for anything else."""
    if not isinstance(node, ast.Call):
        return None
    if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
        return None
    options = {one.arg: one.value for one in node.keywords if one.arg is not None}
    return Call(node, last_name(node.func), node.args, options)


def last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def dotted(node: ast.expr) -> str:
    """Return a dotted name, ``op.f``; empty for anything else."""
    if isinstance(node, ast.Attribute):
        front = dotted(node.value)
        return f"{front}.{node.attr}" if front else ""
    return node.id if isinstance(node, ast.Name) else ""


def text_of(node: ast.expr | None, constants: Mapping[str, str]) -> str | None:
    """Return the string that an expression certainly is; None when that cannot be said.

    Literals, their sums, ``textwrap.dedent`` of one, and names of the module that stand for one. One that is
    too deeply nested to be read is none.
    """
    try:
        return _text_of(node, constants)
    except RecursionError:
        return None


def _text_of(node: ast.expr | None, constants: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text_of(node.left, constants), _text_of(node.right, constants)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.JoinedStr) and all(isinstance(part, ast.Constant) for part in node.values):
        return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    if isinstance(node, ast.Call) and dotted(node.func) in ("textwrap.dedent", "dedent") and len(node.args) == 1:
        inner = _text_of(node.args[0], constants)
        return None if inner is None else textwrap.dedent(inner)
    return None


def value_of(node: ast.expr | None) -> object:
    """Return the value of a literal, of tuples and lists of such too. Raises ``Unclear``."""
    if node is None:
        return None
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise Unclear(f"{written(node)} is no literal") from None
    return value


def constants_of(module: ast.Module) -> dict[str, str]:
    """Return the names of a module that are given a string once, and never anything else."""
    given: dict[str, list[ast.expr | None]] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            given.setdefault(node.targets[0].id, []).append(node.value if node in module.body else None)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            given.setdefault(node.target.id, []).append(node.value if node in module.body else None)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            given.setdefault(node.id, []).append(None)
        elif isinstance(node, ast.arg):
            given.setdefault(node.arg, []).append(None)
    # A plain assignment is seen twice: as the statement, and as the name in it.
    found = {}
    for name, values in given.items():
        texts = [text for value in values if (text := text_of(value, {})) is not None]
        if len(texts) == 1 and len(values) == 2:
            found[name] = texts[0]
    return found


def imports_of(module: ast.Module) -> dict[str, str]:
    """Return the names that a module imports at its beginning, and gives no other meaning."""
    found: dict[str, set[str]] = {}
    for node in module.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                # "import a.b" gives the name a, "import a.b as c" the name c.
                name = alias.asname or alias.name.partition(".")[0]
                found.setdefault(name, set()).add(alias.name if alias.asname else name)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                found.setdefault(alias.asname or alias.name, set()).add(f"{base}.{alias.name}")
    other = {node.id for node in ast.walk(module) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    other |= {node.name for node in ast.walk(module) if isinstance(node, defined)}
    return {name: next(iter(origins)) for name, origins in found.items() if len(origins) == 1 and name not in other}


def first_line_of(node: ast.expr) -> int:
    """Return the line on which an expression's first string begins: where its text starts."""
    lines = [one.lineno for one in ast.walk(node) if isinstance(one, ast.Constant)]
    return min(lines, default=node.lineno)


def written(node: ast.AST) -> str:
    """Return an expression as it is written, in one line, shortened."""
    try:
        return one_line(ast.unparse(node))
    except (RecursionError, ValueError):
        return "an expression that is too deeply nested"


def review(node: ast.AST, reason: str, *, rule: str = "python-not-plain") -> Judgement:
    """Judge what is not plainly understood."""
    return Judgement(Verdict.REVIEW, getattr(node, "lineno", 1), written(node), rule, reason, _SAFE_WAY)
