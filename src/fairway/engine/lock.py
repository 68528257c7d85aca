"""One deployment at a time on a host."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any, Callable

from fairway.engine import clock
from fairway.engine.contract.errors import Locked

#: The purpose of a holder that is only tidying up: it is done soon, so others wait for it.
HOUSEKEEPING = "housekeeping"

# Whoever asks holder() has a shared lock for an instant; that is not a deployment.
_PATIENCE_S = 0.3
_TELL_EVERY_S = 3.0
_LOOK_EVERY_S = 0.02
_HOUSEKEEPING_PATIENCE_S = 30.0


class Lock:
    """An ``flock`` held by the running engine, so it cannot outlive it.

    The detached engine is a fork of the process that accepted the deployment, so
    the lock passes to it without a moment in between. What the file says is for people only; the lock is the kernel's.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def acquire(
        cls, path: Path, *, by: str, purpose: str, wait_s: float = 0.0, notice: Callable[[str], None] | None = None
    ) -> Lock:
        """Take the lock, waiting up to ``wait_s`` for it and telling so every few seconds.

        A holder that only keeps house is waited for in any case. Raises ``Locked`` with who holds it and since when.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        begun = clock.monotonic()
        told_at: float | None = None
        try:
            while not _try(descriptor):
                held = _note(descriptor)
                elapsed = clock.monotonic() - begun
                if elapsed > max(
                    wait_s, _HOUSEKEEPING_PATIENCE_S if held.get("purpose") == HOUSEKEEPING else _PATIENCE_S
                ):
                    raise _locked(held)
                if wait_s and notice is not None and (told_at is None or elapsed - told_at > _TELL_EVERY_S):
                    notice(f"waiting for the {held.get('purpose', 'deployment')} {_told(held)}")
                    told_at = elapsed
                clock.sleep(_LOOK_EVERY_S)
            if told_at is not None and notice is not None:
                # Nothing is begun for a client that left while it waited: this line then has no reader.
                notice("the host is free now")
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        note = {"by": by, "purpose": purpose, "since": clock.now()}
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Give the lock up."""
        os.close(self.descriptor)


def deploying(path: Path) -> dict[str, Any] | None:
    """Return who holds the lock now for more than housekeeping, why and since when; None when nobody does."""
    found = holder(path)
    return None if found is None or found.get("purpose") == HOUSEKEEPING else found


def holder(path: Path) -> dict[str, Any] | None:
    """Return who holds the lock now, why and since when; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _note(descriptor)
    finally:
        os.close(descriptor)
    return None


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _locked(held: dict[str, Any]) -> Locked:
    return Locked(
        f"another deployment is running: {held.get('purpose', 'unknown')}",
        why=_told(held),
        hint="follow it with: fairway attach <environment>; or let this one wait: --wait 600",
    )


def _told(held: dict[str, Any]) -> str:
    return f"started by {held.get('by', 'somebody')} at {held.get('since', 'an unknown time')}"


def _note(descriptor: int) -> dict[str, Any]:
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
