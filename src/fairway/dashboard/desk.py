"""What every page works with, and how a route gets hold of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from fairway.config import Config
from fairway.dashboard.access import Access, Person
from fairway.dashboard.archive import Shelf
from fairway.dashboard.asking import Asking
from fairway.dashboard.following import Followers
from fairway.dashboard.gates import Gates
from fairway.dashboard.observing import Observers, Sight
from fairway.dashboard.reach import Reach
from fairway.dashboard.starting import Runs
from fairway.dashboard.streams import Streams
from fairway.engine.contract.errors import Invalid


@dataclass(frozen=True)
class Desk:
    """The configuration, the ways out, what is known and can be asked, who is let in, and what was begun here."""

    config: Config
    reach: Reach
    observers: Observers
    asking: Asking
    access: Access
    shelf: Shelf
    gates: Gates
    followers: Followers
    runs: Runs
    streams: Streams = field(default_factory=Streams)

    def sight(self, environment: str) -> Sight:
        """Return what is known of one environment. Raises ``Invalid`` for an unknown name."""
        observer = self.observers.each.get(environment)
        if observer is None:
            raise Invalid(f"there is no environment {environment[:60]!r}", why=f"there are {', '.join(self.names)}")
        return observer.sight

    @property
    def names(self) -> tuple[str, ...]:
        """The environments, in their order of promotion."""
        return tuple(self.observers.each)


def _desk(request: Request) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


def _person(request: Request) -> Person:
    person = request.state.person
    assert isinstance(person, Person)
    return person


DeskOf = Annotated[Desk, Depends(_desk)]
PersonOf = Annotated[Person, Depends(_person)]
