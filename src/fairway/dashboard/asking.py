"""What a host is asked for a page, and no more often than a while: what observers do not keep."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.protocol import Operation

if TYPE_CHECKING:
    from fairway.remote.session import EngineSession


@dataclass(frozen=True)
class Answer:
    """What a host said, and when; ``error`` is why it said nothing."""

    value: Mapping[str, Any] | None
    error: FairwayError | None
    at: datetime


class Asking:
    """Asks hosts, one question of a kind at a time, and keeps each answer for a while."""

    def __init__(self, engine: Callable[[str], EngineSession]) -> None:
        self._engine = engine
        self._kept: dict[tuple[str, Operation], tuple[float, Answer]] = {}
        self._turns: defaultdict[tuple[str, Operation], threading.Lock] = defaultdict(threading.Lock)

    def ask(self, environment: str, operation: Operation, *, at_most_s: float) -> Answer:
        """Return the host's answer, at most so many seconds old; an error of the host's is an answer, too."""
        key = (environment, operation)
        with self._turns[key]:
            kept = self._kept.get(key)
            if kept is not None and monotonic() - kept[0] < at_most_s:
                return kept[1]
            answer = self._asked(environment, operation)
            self._kept[key] = (monotonic(), answer)
            return answer

    def _asked(self, environment: str, operation: Operation) -> Answer:
        value, failure = None, None
        try:
            engine = self._engine(environment)
            try:
                value = engine.call(operation)
            finally:
                engine.close()
        except FairwayError as error:
            failure = error
        return Answer(value, failure, datetime.now(UTC))
