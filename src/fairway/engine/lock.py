"""One deployment at a time on a host."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import Locked

# Whoever asks is_held() has a shared lock for an instant; that is not a deployment.
_PATIENCE_S = 0.3


class Lock:
    """An ``flock`` held by the running engine, so it cannot outlive it.

    The detached engine is a fork of the process that accepted the deployment, so
    the lock passes to it without a moment in between. What the file says is for people only; the lock is the kernel's.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path, *, by: str, purpose: str) -> Lock:
        """Take the lock or raise ``Locked`` with who holds it and since when."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if not _try_for(descriptor, _PATIENCE_S):
            holder = _holder(descriptor)
            os.close(descriptor)
            raise Locked(
                f"another deployment is running: {holder.get('purpose', 'unknown')}",
                why=f"started by {holder.get('by', 'somebody')} at {holder.get('since', 'an unknown time')}",
                hint="follow it with: fairway attach <environment>",
            )
        os.ftruncate(descriptor, 0)
        note = {"by": by, "purpose": purpose, "since": clock.now()}
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Give the lock up."""
        os.close(self.descriptor)


def is_held(path: Path) -> bool:
    """Say whether an engine holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _try_for(descriptor: int, patience_s: float) -> bool:
    deadline = clock.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if clock.monotonic() > deadline:
                return False
            clock.sleep(0.02)


def _holder(descriptor: int) -> dict[str, Any]:
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
