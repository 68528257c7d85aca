"""What the dashboard needs of the world: ways to hosts, the archive, and who it runs as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairway.registry import Archive
    from fairway.remote.session import EngineSession


@dataclass(frozen=True)
class Reach:
    """How to get at things; each call makes a new connection.

    ``engine`` takes the name of an environment. ``person`` is who the dashboard runs
    as, for the record.
    """

    engine: Callable[[str], EngineSession]
    archive: Callable[[], Archive]
    person: str
