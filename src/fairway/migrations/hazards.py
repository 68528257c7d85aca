"""The locks that a migration's statements take, as far as their text tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hazard:
    """A statement that may hold up the running release for as long as it takes. ``line`` counts from 1."""

    line: int
    rule: str
    message: str
    hint: str


def lock_hazards(sql: str) -> tuple[Hazard, ...]:
    """Find the lock hazards of a migration, in the order of its lines."""
    return ()
