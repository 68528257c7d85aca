"""The words that the ways in have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from fastapi import Request, Response


@dataclass(frozen=True)
class Person:
    """Who looks. ``acts`` says that the dashboard runs as this person, with their keys and rights."""

    name: str
    acts: bool = False


@dataclass(frozen=True)
class Admitted:
    """A person who is let in.

    ``session`` tells one sign-in from another, and is nobody else's to know. ``leaves``
    says that it can be ended here.
    """

    person: Person
    session: str = field(repr=False)
    leaves: bool = True


class Access(Protocol):
    """Tells who a request is from."""

    @property
    def origins(self) -> frozenset[str]:
        """What a browser calls the dashboard, such as ``http://127.0.0.1:8420``: nothing else is answered."""
        ...

    async def admit(self, request: Request) -> Admitted | Response:
        """Return who it is, or the answer for somebody who is not let in (yet)."""
        ...

    def leave(self, request: Request, admitted: Admitted) -> Response:
        """End the session; return what is shown then."""
        ...
