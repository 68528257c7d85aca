"""Hold what two hosts say of their settings against each other: by name and by fingerprint, never by value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One key on two hosts. ``equal`` is None where one of them has no value for it, or did not tell of values."""

    key: str
    rule: str
    first: str
    second: str
    equal: bool | None

    @property
    def one_sided(self) -> bool:
        """Say whether one has a value for it and the other has none."""
        return (self.first == "present") != (self.second == "present")


def compare(first: Iterable[Row], second: Iterable[Row]) -> list[Difference]:
    """Return every key that one of the two has or knows of, those that only one has a value for first."""
    one, other = ({str(row["key"]): row for row in rows} for rows in (first, second))
    found = []
    for key in dict.fromkeys((*one, *other)):
        rows = (one.get(key), other.get(key))
        states = [str(row["state"]) if row else "missing" for row in rows]
        both = states == ["present", "present"]
        marks = [row.get("fingerprint") for row in rows if row]
        equal = marks[0] == marks[1] if both and None not in marks else None
        rule = str((rows[0] or rows[1] or {}).get("rule", ""))
        found.append(Difference(key, rule, states[0], states[1], equal))
    return sorted(found, key=lambda difference: not difference.one_sided)


def names_only(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Leave out the fingerprints: each host made its own with a key of its own, and they compare to nothing."""
    return [{name: value for name, value in row.items() if name != "fingerprint"} for row in rows]


def needed_and_missing(target: Iterable[Row]) -> dict[str, str]:
    """Return the keys that a host must have a value for and has none, with the reason."""
    return {str(row["key"]): str(row["needed"]) for row in target if row["needed"] and row["state"] != "present"}


def unexpected(source: Iterable[Row], target: Iterable[Row]) -> list[str]:
    """Return the keys that are declared nowhere and that only the source has a value for."""
    there = {row["key"] for row in target if row["state"] == "present"}
    return [
        str(row["key"])
        for row in source
        if row["rule"] == "not declared" and row["state"] == "present" and row["key"] not in there
    ]
