"""What the archive holds, kept here: a page waits for the registry at most once.

A release and a statement never change, so each is read once. What there is now is
asked again and again while somebody looks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.contract.statement import MAX_STATEMENTS

if TYPE_CHECKING:
    from fairway.registry import Archive, ArchivedRelease, ArchivedStatement

_EVERY_S = 20.0
# For so long after a page was asked for somebody is taken to look.
_LOOKED_AT_S = 90.0
_FIRST_ANSWER_S = 5.0
#: What was said of so many of the newest releases is kept at hand; of others when a page shows them.
NEWEST = 60
_AT_ONCE = 64
_READERS = 8
_BUNDLES = 16


@dataclass(frozen=True)
class Holding:
    """What of the archive is known.

    ``releases`` are the newest first; ``pending`` is how many more there are that were not
    read yet. ``said`` are the statements by their release, without a key where they were not
    read yet. ``unreadable`` says of tags why they cannot be used. ``read_at`` is when the
    registry last answered, ``error`` why it did not the last time, None when it did.
    """

    releases: tuple[NamedRelease, ...] = ()
    pending: int = 0
    said: Mapping[Digest, tuple[ArchivedStatement, ...]] = field(default_factory=dict)
    unreadable: Mapping[Tag, FairwayError] = field(default_factory=dict)
    read_at: datetime | None = None
    error: FairwayError | None = None

    def find(self, tag: str | None) -> NamedRelease | None:
        """Return the release of a tag, if it is known here."""
        return next((named for named in self.releases if named.release.tag == tag), None)


class Shelf:
    """Keeps what the archive holds, by a thread of its own. ``tell`` is called whenever something is new."""

    def __init__(self, connect: Callable[[], Archive], tell: Callable[[], None]) -> None:
        self._connect = connect
        self._tell = tell
        self._archive: Archive | None = None
        self._holding = Holding()
        self._releases: dict[Tag, NamedRelease] = {}
        self._statements: dict[str, ArchivedStatement] = {}
        self._bundles: OrderedDict[Tag, ArchivedRelease] = OrderedDict()
        self._lock = threading.Lock()
        self._wanted: dict[Tag, float] = {}
        self._looked_until = 0.0
        self._heard = threading.Event()
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="reader of the archive", daemon=True)

    def look(self, shown: Iterable[Tag] = ()) -> Holding:
        """Return what is known, and have it kept fresh for a while; only the first time the registry is waited for.

        ``shown`` are releases of which somebody wants to know what was said.
        """
        now = monotonic()
        new = [tag for tag in shown if self._wanted.get(tag, 0.0) < now]
        self._wanted |= dict.fromkeys(shown, now + _LOOKED_AT_S)
        if now > self._looked_until or any(self._lacks(tag) for tag in new):
            self._wake.set()
        self._looked_until = now + _LOOKED_AT_S
        if not self._heard.is_set() and self._thread.is_alive():
            self._heard.wait(_FIRST_ANSWER_S)
        return self._holding

    def get(self, tag: Tag) -> ArchivedRelease:
        """Return a release with its bundle. Raises what the registry says."""
        with self._lock:
            if tag in self._bundles:
                self._bundles.move_to_end(tag)
                return self._bundles[tag]
        found = self._connect().get(tag)
        with self._lock:
            self._bundles[tag] = found
            while len(self._bundles) > _BUNDLES:
                self._bundles.popitem(last=False)
        return found

    def renew(self) -> None:
        """Have the registry asked at once: something was just archived."""
        self._looked_until = monotonic() + _LOOKED_AT_S
        self._wake.set()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a question on its way is not waited for long."""
        self._ended = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _lacks(self, tag: Tag) -> bool:
        named = self._releases.get(tag)
        return named is not None and named.name not in self._holding.said

    def _run(self) -> None:
        while not self._ended:
            if monotonic() > self._looked_until:
                self._archive = None
                self._wake.wait()
            self._wake.clear()
            if self._ended:
                return
            before = self._holding
            try:
                self._archive = self._archive or self._connect()
                self._read(self._archive)
            except FairwayError as error:
                self._fail(error)
            except Exception as error:
                # Everything a registry says is untrusted: whatever it is, the page goes on.
                self._fail(Failed("the archive cannot be read", why=f"{type(error).__name__}: {error}"[:300]))
            self._heard.set()
            if replace(self._holding, read_at=None) != replace(before, read_at=None):
                self._tell()
            self._wake.wait(_EVERY_S)

    def _fail(self, error: FairwayError) -> None:
        self._archive = None
        self._holding = replace(self._holding, error=error)

    def _read(self, archive: Archive) -> None:
        from fairway.registry import release_tags

        names = archive.names()
        tags = release_tags(names)
        unreadable: dict[Tag, FairwayError] = {}
        missing = [tag for tag in tags if tag not in self._releases]
        while missing and not self._ended:
            batch, missing = missing[:_AT_ONCE], missing[_AT_ONCE:]
            for entry in archive.read_all(batch):
                if entry.named is not None:
                    self._releases[entry.tag] = entry.named
                else:
                    unreadable[entry.tag] = entry.error or Failed("it cannot be read")
            if missing:
                self._hold(tags, len(missing), unreadable)
                self._heard.set()
                self._tell()
        self._hold(tags, 0, unreadable)
        said = self._read_statements(archive, names)
        self._holding = replace(self._holding, said=said, read_at=datetime.now(UTC), error=None)

    def _hold(self, tags: Sequence[Tag], pending: int, unreadable: Mapping[Tag, FairwayError]) -> None:
        there = set(tags)
        releases = sorted(
            (named for tag, named in self._releases.items() if tag in there),
            key=lambda named: (named.release.created_at, named.release.tag),
            reverse=True,
        )
        self._holding = replace(
            self._holding, releases=tuple(releases), pending=pending, unreadable=dict(unreadable), error=None
        )

    def _read_statements(self, archive: Archive, names: Sequence[str]) -> dict[Digest, tuple[ArchivedStatement, ...]]:
        """Read what is new among what was said of the releases that are looked at; return what was said of all."""
        from fairway.registry import ArchivedStatement

        about = {named.name: tags for named, tags in self._about(names)}
        new = [(tag, name) for name, tags in about.items() for tag in tags if tag not in self._statements]
        with ThreadPoolExecutor(max_workers=_READERS) as pool:
            for found in pool.map(lambda one: archive.statements.read(*one), new):
                # What is none is passed over here: the release's own page tells of it.
                if isinstance(found, ArchivedStatement):
                    self._statements[found.tag] = found
        said = dict(self._holding.said)
        for name, tags in about.items():
            known = [self._statements[tag] for tag in tags if tag in self._statements]
            said[name] = tuple(sorted(known, key=lambda one: (one.statement.at, one.tag)))
        return said

    def _about(self, names: Sequence[str]) -> Iterator[tuple[NamedRelease, list[str]]]:
        """Yield the releases whose statements are kept at hand, with the tags of those."""
        from fairway.registry import tags_about

        now = monotonic()
        self._wanted = {tag: until for tag, until in self._wanted.items() if until > now}
        of_statements = [name for name in names if name.startswith("ev-")]
        for position, named in enumerate(self._holding.releases):
            if position < NEWEST or named.release.tag in self._wanted:
                yield named, tags_about(named.name, of_statements)[:MAX_STATEMENTS]
