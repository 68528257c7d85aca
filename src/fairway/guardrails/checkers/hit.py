"""What a checker says of one place in a file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hit:
    """A place that breaks a rule. ``line`` counts from 1, ``text`` is what the baseline knows it by."""

    path: str
    line: int
    text: str
    detail: str = ""
