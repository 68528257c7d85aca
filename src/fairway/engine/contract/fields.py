"""Read a JSON document field by field, trusting nothing about it.

Every document that crosses a border is untrusted: duplicate keys, unknown keys
and wrong types are refused with the path of the offending key.
"""

from __future__ import annotations

import enum
import json
import re
from re import Pattern
from typing import Any, Callable, TypeVar

from fairway.engine.contract.errors import FairwayError, Invalid, OtherVersion

T = TypeVar("T")
D = TypeVar("D")
E = TypeVar("E", bound=enum.Enum)

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise ValueError(f"the key {key[:80]!r} is there twice")
        document[key] = value
    return document


def parse_json(content: bytes | str, name: str) -> Any:
    """Parse one JSON document strictly; ``name`` is what errors call it.

    Raises ``Invalid`` on bad UTF-8, bad JSON, a duplicate key, ``NaN`` or
    ``Infinity``, nesting beyond the parser's limit, and more than 16 MiB.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise Invalid(f"{name} is too large", why=f"{len(content)} bytes, at most {MAX_DOCUMENT_BYTES}")
    try:
        text = content.decode("utf-8") if isinstance(content, bytes) else content
        return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is not a valid JSON document", why=str(error)[:200]) from None


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


class Fields:
    """The fields of one JSON object, taken out one by one.

    >>> fields = Fields({"n": 3}, "request")
    >>> fields.integer("n", minimum=1)
    3
    >>> fields.end()
    """

    def __init__(self, value: Any, name: str) -> None:
        if not isinstance(value, dict):
            raise Invalid(f"{name} must be an object, not {_kind(value)}")
        self._rest = dict(value)
        self._name = name

    def _take(self, key: str) -> Any:
        if key not in self._rest:
            raise OtherVersion(f"{self._name}: the key {key!r} is missing")
        return self._rest.pop(key)

    def _refuse(self, key: str, expected: str, value: Any) -> Invalid:
        return Invalid(f"{self._name}: {key} must be {expected}, not {_kind(value)}")

    def has(self, key: str) -> bool:
        """Say whether the key is there with a value other than null; a null is taken out."""
        if key in self._rest and self._rest[key] is None:
            del self._rest[key]
        return key in self._rest

    def text(self, key: str, *, max_length: int = 4096) -> str:
        """Take a string of at most ``max_length`` characters."""
        value = self._take(key)
        if not isinstance(value, str) or len(value) > max_length:
            raise self._refuse(key, f"a string of at most {max_length} characters", value)
        return value

    def matching(self, key: str, pattern: Pattern[str], meaning: str) -> str:
        """Take a string that matches the whole pattern; ``meaning`` says it in words."""
        value = self._take(key)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self._refuse(key, meaning, value)
        return value

    def parsed(self, key: str, parse: Callable[[str], T], *, max_length: int = 4096) -> T:
        """Take a string through ``parse``, naming the key when it refuses."""
        value = self.text(key, max_length=max_length)
        try:
            return parse(value)
        except FairwayError as error:
            raise Invalid(f"{self._name}: {key}: {error.what}", why=error.why, hint=error.hint) from None
        except ValueError:  # of an enumeration
            raise OtherVersion(f"{self._name}: {key} has the unknown value {value[:60]!r}") from None

    def integer(self, key: str, *, minimum: int = 0, maximum: int = 2**53) -> int:
        """Take a whole number within bounds."""
        value = self._take(key)
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise self._refuse(key, f"a whole number from {minimum} to {maximum}", value)
        return value

    def number(self, key: str, *, minimum: float = 0.0, maximum: float = 1e9) -> float:
        """Take a number within bounds."""
        value = self._take(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise self._refuse(key, f"a number from {minimum} to {maximum}", value)
        return float(value)

    def boolean(self, key: str) -> bool:
        """Take true or false."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self._refuse(key, "true or false", value)
        return value

    def one_of(self, key: str, choices: type[E]) -> E:
        """Take a string that is the value of an enumeration's member."""
        value = self._take(key)
        for choice in choices:
            if choice.value == value:
                return choice
        raise self._refuse(key, f"one of {', '.join(str(choice.value) for choice in choices)}", value)

    def texts(self, key: str, *, max_items: int = 1000) -> tuple[str, ...]:
        """Take a list of strings."""
        value = self._take(key)
        if not isinstance(value, list) or len(value) > max_items or not all(isinstance(v, str) for v in value):
            raise self._refuse(key, f"a list of at most {max_items} strings", value)
        return tuple(value)

    def integers(self, key: str, *, minimum: int, maximum: int, max_items: int) -> tuple[int, ...]:
        """Take a list of whole numbers within bounds."""
        value = self._take(key)
        if not isinstance(value, list) or len(value) > max_items:
            raise self._refuse(key, f"a list of at most {max_items} numbers", value)
        for item in value:
            if not isinstance(item, int) or isinstance(item, bool) or not minimum <= item <= maximum:
                raise self._refuse(key, f"whole numbers from {minimum} to {maximum}", item)
        return tuple(value)

    def mapping(self, key: str) -> dict[str, str]:
        """Take an object whose values are strings."""
        value = self._take(key)
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self._refuse(key, "an object of strings", value)
        return dict(value)

    def counts(self, key: str) -> dict[str, int]:
        """Take an object whose values are whole numbers from 0."""
        value = self._take(key)
        good = isinstance(value, dict) and all(type(count) is int and count >= 0 for count in value.values())
        if not good:
            raise self._refuse(key, "an object of whole numbers", value)
        return dict(value)

    def mapped(
        self, key: str, name: Callable[[str], str], value: Callable[[str], T], *, max_items: int
    ) -> dict[str, T]:
        """Take an object of at most ``max_items`` strings, its keys through ``name``, its values through ``value``."""
        entries = self.mapping(key)
        if len(entries) > max_items:
            raise Invalid(f"{self._name}: {key} has {len(entries)} entries, at most {max_items}")
        return {name(one): value(text) for one, text in entries.items()}

    def since(self, key: str, read: Callable[[], T], before: D) -> T | D:
        """Take a value that documents have since some version; ``before`` is what its absence meant until then."""
        return read() if key in self._rest else before

    def nullable_since(self, key: str, read: Callable[[], T]) -> T | None:
        """Take a value that may be null, or be absent as in documents of before there was such a key."""
        return self.since(key, lambda: self.nullable(key, read), None)

    def nullable(self, key: str, read: Callable[[], T]) -> T | None:
        """Take a value that may be null, which then is the answer; the key must be there."""
        if key in self._rest and self._rest[key] is None:
            del self._rest[key]
            return None
        return read()

    def objects(self, key: str, *, max_items: int) -> tuple[Fields, ...]:
        """Take a list of nested objects."""
        value = self._take(key)
        if not isinstance(value, list) or len(value) > max_items:
            raise self._refuse(key, f"a list of at most {max_items} objects", value)
        return tuple(Fields(item, f"{self._name}.{key}[{index}]") for index, item in enumerate(value))

    def object(self, key: str) -> Fields:
        """Take a nested object."""
        return Fields(self._take(key), f"{self._name}.{key}")

    def end(self) -> None:
        """Refuse whatever was not taken: an unknown key may change the meaning of the rest."""
        if self._rest:
            raise OtherVersion(
                f"{self._name}: unknown key {sorted(self._rest)[0][:80]!r}",
                hint="the document may come from a newer Fairway; update this side",
            )


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"the string {value[:60]!r}"
    return type(value).__name__
