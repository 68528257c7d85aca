"""Ask an environment's host how a release stands there, with all that was said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.names import Tag
from fairway.evidence.collect import collect
from fairway.evidence.explain import Standing, ask_gate
from fairway.remote.session import EngineSession

if TYPE_CHECKING:
    from fairway.registry import Archive, ArchivedRelease

#: Begins a connection to the host of an environment.
Connect = Callable[[str], EngineSession]


@contextmanager
def open_sources(names: Iterable[str], connect: Connect) -> Iterator[dict[str, EngineSession | FairwayError]]:
    """Connect to environments to hear what their hosts say; one that there is no way to from here is an error there."""
    with ExitStack() as stack:
        found: dict[str, EngineSession | FairwayError] = {}
        for name in names:
            try:
                found[name] = stack.enter_context(connect(name))
            except FairwayError as error:
                found[name] = error
        yield found


def look(
    archive: Archive, find: Callable[[], Tag], target: str, sources: Iterable[str], connect: Connect
) -> tuple[ArchivedRelease, Standing]:
    """Collect what was said of a release, and ask the host of ``target`` how it stands there.

    ``sources`` are the environments whose hosts are asked what they say of it. ``find``
    names the release; it is called while the connections are made.
    """
    with connect(target) as engine, open_sources(sources, connect) as opened:
        released = archive.get(find())
        return released, ask_gate(engine, released, collect(released.named, archive.statements, opened))
