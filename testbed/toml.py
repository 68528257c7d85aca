"""Writing TOML: the standard library only reads it. For the testbed's own configuration, not for people's."""

from __future__ import annotations

import json
from typing import Any


def dumps(document: dict[str, Any]) -> str:
    """Return a TOML document of tables, strings, numbers, booleans, and lists and dicts of these."""
    return _table(document, ())


def _table(table: dict[str, Any], path: tuple[str, ...]) -> str:
    header = f"[{'.'.join(map(_key, path))}]\n" if path else ""
    plain = "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items() if not isinstance(value, dict))
    below = "".join(f"\n{_table(value, (*path, key))}" for key, value in table.items() if isinstance(value, dict))
    return header + plain + below


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):  # only in a list: elsewhere it is a table of its own
        return f"{{{', '.join(f'{_key(key)} = {_value(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, str | bool | int | float):
        # JSON's strings are TOML's basic strings, escapes and all.
        return json.dumps(value)
    raise TypeError(f"cannot be written as TOML: {type(value).__name__}")
