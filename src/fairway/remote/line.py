"""A connection to a host that is kept between questions, and made anew when it was lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairway.engine.contract.errors import FairwayError, Unreachable
from fairway.engine.contract.protocol import Operation
from fairway.remote.session import EngineSession, OnEvent


class Line:
    """Asks one environment's host again and again; ``connect`` makes a new connection to it.

    One question at a time: it is not for several threads, but that another one may hang up.
    """

    def __init__(self, connect: Callable[[], EngineSession]) -> None:
        self._connect = connect
        self._engine: EngineSession | None = None
        self._over = False

    def open(self) -> None:
        """Begin to connect, if that is not done."""
        if self._engine is None:
            self._engine = self._connect()

    def call(self, operation: Operation, on_event: OnEvent | None = None, **args: Any) -> dict[str, Any]:
        """Ask the host. Raises what it reported; after ``Unreachable`` the next call connects anew."""
        self.open()
        assert self._engine is not None
        if self._over:  # while it was opened
            self._engine.hang_up()
        try:
            return self._engine.call(operation, on_event, **args)
        except FairwayError as error:
            if isinstance(error, Unreachable) or self._engine.ended:
                self.close()
            raise

    def hang_up(self) -> None:
        """Have whoever waits for the host's answer get none, now and later; it is to be closed then."""
        self._over = True
        engine = self._engine
        if engine is not None:
            engine.hang_up()

    def close(self) -> None:
        """End the connection."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
