"""The worker: recomputes the weekly utilisation, from the same image as the application."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from capakraken.settings import Settings

_EVERY_S = 10.0

_RECOMPUTE = text(
    "INSERT INTO utilisation (week, hours, computed_at)"
    " SELECT week, sum(hours), now() FROM allocations GROUP BY week"
    " ON CONFLICT (week) DO UPDATE SET hours = excluded.hours, computed_at = excluded.computed_at"
)


def work(settings: Settings) -> int:
    """Recompute every few seconds until SIGTERM; a database that is away is tried again."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    engine = create_engine(settings.database_url, pool_pre_ping=True)
    print(f"worker of {settings.release}", flush=True)
    while not stop.is_set():
        try:
            with engine.begin() as connection:
                connection.execute(_RECOMPUTE)
        except SQLAlchemyError as error:
            print(f"the utilisation was not recomputed: {type(error).__name__}", flush=True)
        stop.wait(_EVERY_S)
    engine.dispose()
    return 0
