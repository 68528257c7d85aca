"""What differs between languages: their files, their comments, and how ast-grep says that code does not parse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Language:
    """A language of ast-grep's. ``names`` are those it goes by, in lower case.

    ``bracketed`` are kinds of nodes that end with a bracket: tree-sitter puts in one that is
    missing and goes on, and only an empty one among the node's children tells.
    """

    names: tuple[str, ...]
    suffixes: tuple[str, ...]
    comments: tuple[str, ...] = ("comment",)
    bracketed: tuple[tuple[str, str], ...] = ()


_LINE_AND_BLOCK = ("line_comment", "block_comment")
_SCRIPT = (
    ("arguments", r"\)"),
    ("formal_parameters", r"\)"),
    ("parenthesized_expression", r"\)"),
    ("statement_block", r"\}"),
    ("class_body", r"\}"),
    ("object", r"\}"),
    ("array", r"\]"),
)
_PYTHON = (
    ("argument_list", r"\)"),
    ("parameters", r"\)"),
    ("parenthesized_expression", r"\)"),
    ("list", r"\]"),
    ("dictionary", r"\}"),
)

LANGUAGES = (
    Language(("typescript", "ts"), (".ts", ".mts", ".cts"), bracketed=_SCRIPT),
    Language(("tsx",), (".tsx",), bracketed=_SCRIPT),
    Language(("javascript", "js", "jsx"), (".js", ".mjs", ".cjs", ".jsx"), bracketed=_SCRIPT),
    Language(("python", "py"), (".py", ".pyi", ".py3"), bracketed=_PYTHON),
    Language(("bash",), (".sh", ".bash")),
    Language(("c",), (".c", ".h")),
    Language(("cpp", "cc", "c++", "cxx"), (".cpp", ".cc", ".hpp")),
    Language(("csharp", "cs"), (".cs",)),
    Language(("css",), (".css",)),
    Language(("go", "golang"), (".go",)),
    Language(("html",), (".html", ".htm")),
    Language(("java",), (".java",), _LINE_AND_BLOCK),
    Language(("kotlin", "kt"), (".kt", ".kts"), ("line_comment", "multiline_comment")),
    Language(("php",), (".php",)),
    Language(("ruby", "rb"), (".rb",)),
    Language(("rust", "rs"), (".rs",), _LINE_AND_BLOCK),
    Language(("swift",), (".swift",), ("comment", "multiline_comment")),
    Language(("yaml", "yml"), (".yml", ".yaml")),
)


def find(name: str) -> Language | None:
    """Return a language by any of its names, None for one that guardrails are not made for."""
    return next((language for language in LANGUAGES if name.lower() in language.names), None)


def syntax_rule(language: Language) -> dict[str, Any]:
    """Return ast-grep's rule for code that does not parse."""
    missing = [{"kind": kind, "not": {"has": {"regex": f"^{bracket}$"}}} for kind, bracket in language.bracketed]
    return {"any": [{"kind": "ERROR"}, *missing]}


def comment_rule(language: Language, text: str) -> dict[str, Any]:
    """Return ast-grep's rule for comments that contain a text."""
    return {"any": [{"kind": kind} for kind in language.comments], "regex": text}
