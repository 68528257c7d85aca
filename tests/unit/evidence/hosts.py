"""Hosts that answer as a test wants them to, without a connection."""

from __future__ import annotations

from typing import Any

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.protocol import Operation
from fairway.remote.session import EngineSession, OnEvent

Answer = dict[str, Any] | FairwayError


class StubHost(EngineSession):
    """Answers each operation with what it was given, and remembers what it was asked."""

    def __init__(self, **answers: Answer) -> None:
        # Of settings nobody here has anything to say.
        self._answers: dict[str, Answer] = {"env": {"keys": []}, **answers}
        self.asked: list[tuple[Operation, dict[str, Any]]] = []

    def close(self) -> None:
        """There is no connection to end."""

    def call(self, operation: Operation, on_event: OnEvent | None = None, **args: Any) -> dict[str, Any]:
        self.asked.append((operation, args))
        answer = self._answers[operation.value]
        if isinstance(answer, FairwayError):
            raise answer
        return answer
