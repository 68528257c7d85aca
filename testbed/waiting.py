"""Waiting for things, with a limit and a reason."""

from __future__ import annotations

import time
from collections.abc import Callable

from testbed.process import TestbedError


def wait_for(what: str, happened: Callable[[], bool], *, timeout_s: float = 30.0, interval_s: float = 0.05) -> None:
    """Wait until ``happened()`` is true. Raises ``TestbedError`` naming ``what`` when the time is up."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            raise TestbedError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(interval_s)
