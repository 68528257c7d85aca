"""What a host is wanted to have: each want is looked at, said, and then made so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Protocol

from fairway.engine.groundwork.machine import Machine, View
from fairway.engine.groundwork.wish import Wish

#: Is handed each line that a long piece of work says.
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Look:
    """What was found of one want.

    ``steps`` is what would be done, nothing where all is as it should be. ``notes`` are for
    a person to know. ``wrong`` is what a person has to mend and nothing waits for,
    ``blocked`` what has to be mended first; both with a ``hint``.
    """

    found: str
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    wrong: str = ""
    blocked: str = ""
    hint: str = ""

    @property
    def met(self) -> bool:
        """Whether nothing is to be done."""
        return not self.steps and not self.blocked

    def as_json(self, name: str) -> dict[str, Any]:
        """Return it as it crosses the protocol."""
        return {
            "name": name,
            "met": self.met,
            "found": self.found,
            "steps": list(self.steps),
            "notes": list(self.notes),
            "wrong": self.wrong,
            "blocked": self.blocked,
            "hint": self.hint,
        }


class Want(Protocol):
    """One thing that a host is wanted to have."""

    #: What people call it.
    name: str

    def asked(self, wish: Wish) -> bool:
        """Say whether this environment wants it at all."""
        ...

    def look(self, machine: View, wish: Wish) -> Look:
        """Look at what is there; changes nothing."""
        ...

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        """Make it so, and be safe to repeat; return what a person should know then. Raises ``Failed``."""
        ...
