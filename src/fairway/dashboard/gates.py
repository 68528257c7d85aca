"""How releases stand before the environments' gates: asked of their hosts, and kept for a moment."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from fairway.config import Config
from fairway.dashboard.nonsense import NONSENSE, cannot_be_read
from fairway.dashboard.reach import Reach
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.names import Digest, Tag
from fairway.engine.contract.statement import MAX_STATEMENTS, Signed
from fairway.evidence.declare import judge
from fairway.evidence.explain import Standing
from fairway.evidence.standing import look

if TYPE_CHECKING:
    from fairway.registry import ArchivedRelease

# A page that is open asks again whenever a host was heard, and nearly always nothing has changed.
_FRESH_S = 60.0
_JUDGED_S = 60.0
_MOST_KEPT = 500
_AT_ONCE = 4


@dataclass(frozen=True)
class Asked:
    """What an environment's host said of a release; ``error`` is why it said nothing."""

    environment: str
    standing: Standing | None = None
    error: FairwayError | None = None


class Gates:
    """Asks the environments' hosts how releases stand there, as ``fairway gate`` does."""

    def __init__(self, config: Config, reach: Reach) -> None:
        self._config = config
        self._reach = reach
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, Tag, Hashable], tuple[float, Asked]] = {}
        self._verdicts: dict[tuple[str, Digest], tuple[float, dict[str, Any]]] = {}

    def look(self, environment: str, tag: Tag) -> tuple[ArchivedRelease, Standing]:
        """Ask now, the archive and the hosts alike: what somebody decides on is never from before."""
        source = self._config.environments[environment].promote_from
        sources = (source,) if source is not None else ()
        return look(self._reach.archive(), lambda: tag, environment, sources, self._reach.engine)

    def ask(self, wanted: Iterable[tuple[str, Tag]], known: Hashable) -> tuple[Asked, ...]:
        """Return how releases stand in environments, in that order; what a host refuses is an answer, too.

        ``known`` is what is known of them otherwise: while that is the same, an answer is
        kept for a while.
        """
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return tuple(pool.map(lambda one: self._asked(one[0], one[1], known), wanted))

    def judge(self, environment: str, statements: Sequence[Signed]) -> dict[str, dict[str, Any]]:
        """Return what an environment's host thinks of statements, by their names. Raises what it says instead.

        Some seconds old at most: a key may have been revoked.
        """
        now = monotonic()
        with self._lock:
            fresh = {key: kept for key, kept in self._verdicts.items() if now - kept[0] < _JUDGED_S}
            self._verdicts = fresh
        new = [one for one in statements if (environment, one.name) not in fresh][:MAX_STATEMENTS]
        if new:
            engine = self._reach.engine(environment)
            try:
                verdicts = judge(engine, new)
            finally:
                engine.close()
            fresh = {**fresh, **{(environment, one.name): (now, said) for one, said in zip(new, verdicts, strict=True)}}
            with self._lock:
                self._verdicts = fresh
        return {str(name): said for (where, name), (_, said) in fresh.items() if where == environment}

    def forget(self) -> None:
        """Ask anew from now on: something has just changed."""
        with self._lock:
            self._kept.clear()
            self._verdicts.clear()

    def _asked(self, environment: str, tag: Tag, known: Hashable) -> Asked:
        key = (environment, tag, known)
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and monotonic() - kept[0] < _FRESH_S:
            return kept[1]
        asked = self._try(environment, tag)
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (monotonic(), asked)
        return asked

    def _try(self, environment: str, tag: Tag) -> Asked:
        try:
            standing = self.look(environment, tag)[1]
            # Read here, so that what cannot be read is an answer that a page shows.
            _ = standing.replaces, standing.notes
            return Asked(environment, standing)
        except FairwayError as error:
            return Asked(environment, error=error)
        except NONSENSE as error:
            # Everything a host says is untrusted: whatever it is, the page goes on.
            return Asked(environment, error=cannot_be_read(error))
