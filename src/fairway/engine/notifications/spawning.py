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


def spawn_teller(layout: Layout, *, outlives: bool = False) -> None:
    """Have people told whatever is new, or waits; never raises.

    Cheap where there is nothing to tell, so that it may be called every minute. It returns
    at once, but in a service of systemd's, which takes its processes with it when it ends:
    there the teller is waited for, so call it without the host's lock. ``outlives`` says
    that this service does not, and is asked for again soon.
    """
    with suppress(OSError, FairwayError, subprocess.TimeoutExpired):
        if _nothing_to_tell(layout):
            return
        if "INVOCATION_ID" not in os.environ:
            _start(layout, COMMAND)
            return
        teller = _start(layout, COMMAND, ONCE)
        if not outlives:
            teller.wait(timeout=_SERVICE_PATIENCE_S)


@contextmanager
def telling(layout: Layout) -> Iterator[None]:
    """Have people told afterwards, whatever came of it; nobody waits for that, and it never raises."""
    try:
        yield
    finally:
        with suppress(OSError, FairwayError):
            if read_host_config(layout.host_config).notifications is not None:
                _start(layout, COMMAND)


def _nothing_to_tell(layout: Layout) -> bool:
    if read_host_config(layout.host_config).notifications is None:
        return True
    from fairway.engine.notifications.outbox import is_done  # only where somebody is told

    return is_done(layout)


def _start(layout: Layout, *arguments: str) -> subprocess.Popen[bytes]:
    log = layout.notifications / "teller.log"
    layout.notifications.mkdir(mode=0o700, exist_ok=True)
    if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
        log.unlink()
    return spawn_logging_to(log, *arguments)
