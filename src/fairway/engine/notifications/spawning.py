"""Have a teller started by whoever wrote down what is to be told; small, for everybody imports it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from fairway.engine.contract.errors import FairwayError
from fairway.engine.hostconfig import read_host_config
from fairway.engine.layout import Layout
from fairway.engine.spawn import spawn_logging_to

COMMAND = "tell"
ONCE = "--once"
_MAX_LOG_BYTES = 64 * 1024
_SERVICE_PATIENCE_S = 180.0


def spawn_teller(layout: Layout) -> None:
    """Have people told what was written down, and return at once; never raises.

    Where nobody is to be told nothing is started. A service of systemd's takes its
    processes with it when it ends, so that there this one is waited for.
    """
    with suppress(OSError, FairwayError, subprocess.TimeoutExpired):
        if read_host_config(layout.host_config).notifications is None:
            return
        log = layout.notifications / "teller.log"
        layout.notifications.mkdir(mode=0o700, exist_ok=True)
        if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
            log.unlink()
        in_service = "INVOCATION_ID" in os.environ
        process = spawn_logging_to(log, COMMAND, *([ONCE] if in_service else []))
        if in_service:
            process.wait(timeout=_SERVICE_PATIENCE_S)


@contextmanager
def telling(layout: Layout) -> Iterator[None]:
    """Have people told afterwards, whatever came of it."""
    try:
        yield
    finally:
        spawn_teller(layout)
