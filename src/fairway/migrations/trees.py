"""Small questions to the parser's trees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from postgast import walk

#: A relation or type as the text names it: the schema, empty when it is not named, and the name.
Name = tuple[str, str]


def label(tree: Any, field: str) -> str:
    """Return the name of an enum field's value."""
    number = getattr(tree, field)
    values = tree.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values[number].name) if number in values else ""


def inner(node: Any) -> tuple[str, Any]:
    """Return the kind of a generic node, and the node itself; an empty kind for one that is not there."""
    kind = node.WhichOneof("node")
    return (kind, getattr(node, kind)) if kind else ("", None)


def nodes(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield every node of a tree with its type's name, the root first."""
    for _field, message in walk(tree):
        yield message.DESCRIPTOR.name, message


def words(items: Any) -> tuple[str, ...]:
    """Return a list of strings, as dotted names are kept."""
    return tuple(item.string.sval for item in items if item.WhichOneof("node") == "string")


def relation(range_var: Any) -> Name:
    """Return the name of a relation."""
    return (range_var.schemaname, range_var.relname)


def dotted(parts: tuple[str, ...]) -> Name:
    """Return a dotted name as schema and name."""
    return (parts[-2] if len(parts) > 1 else "", parts[-1] if parts else "")
