"""What long work tells whoever watches: which step it is in, and what the step says."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Reporter(Protocol):
    """Shows progress; a terminal and a CI log each have their own."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """Enter a named step; it has failed when its block raises."""

    def line(self, text: str) -> None:
        """Show one line of what the current step says."""


class Silent:
    """A reporter that shows nothing."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """Enter a step without a word."""
        return nullcontext()

    def line(self, text: str) -> None:
        """Drop the line."""
