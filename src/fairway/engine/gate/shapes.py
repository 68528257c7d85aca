"""Take a rendered Compose model apart without believing its shape: what has another one is refused, not passed over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from fairway.engine.contract.errors import Invalid


def mapped(value: Any, where: str) -> dict[str, Any]:
    """Return a mapping, an empty one for nothing. Raises ``Invalid`` naming the place."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"the rendered compose file has something else than a mapping at {where}")
    return value


def listed(value: Any, where: str) -> list[Any]:
    """Return a list, an empty one for nothing. Raises ``Invalid`` naming the place."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Invalid(f"the rendered compose file has something else than a list at {where}")
    return value


def named(value: Any, where: str) -> dict[str, str]:
    """Return a mapping that may also be written as a list of ``key=value``. Raises ``Invalid`` naming the place."""
    if not isinstance(value, list):
        return {str(key): str(one) for key, one in mapped(value, where).items()}
    pairs = (str(item).partition("=") for item in value)
    return {key: one for key, _, one in pairs}


def keys(words: str) -> frozenset[str]:
    """Return a set of keys that is written as words."""
    return frozenset(words.split())


def is_set(value: Any) -> bool:
    """Say whether a switch is on; anything that is not clearly off is."""
    return value not in (None, False, "", "false")


def unknown(value: Mapping[str, Any], known: Collection[str]) -> Iterator[str]:
    """Give the keys that are not among the known ones; ``x-`` keys mean nothing to Compose."""
    return (key for key in value if key not in known and not key.startswith("x-"))
