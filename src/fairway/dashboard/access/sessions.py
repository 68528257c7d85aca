"""Who has signed in, for how long: kept in memory, so that a restart, a sign-out and the clock end it for sure."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class _Kept(Generic[Value]):
    value: Value
    until: float


class Sessions(Generic[Value]):
    """Values under keys that cannot be guessed, each until its time is over.

    The keys are kept as digests only, which also makes the look-up take the same time for
    whatever is asked for. With more than ``at_most`` of them the oldest goes.
    """

    def __init__(self, life_s: float, *, at_most: int = 1000, clock: Callable[[], float] = monotonic) -> None:
        self.life_s = life_s
        self._at_most = at_most
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[bytes, _Kept[Value]] = {}

    def begin(self, value: Value) -> str:
        """Keep a value; return its key."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            now = self._clock()
            self._kept = {digest: one for digest, one in self._kept.items() if one.until > now}
            while len(self._kept) >= self._at_most:
                del self._kept[next(iter(self._kept))]
            self._kept[_digest(key)] = _Kept(value, now + self.life_s)
        return key

    def get(self, key: str) -> Value | None:
        """Return what is kept under a key, None when it is not, or no longer."""
        with self._lock:
            one = self._kept.get(_digest(key))
            return one.value if one is not None and one.until > self._clock() else None

    def end(self, key: str) -> Value | None:
        """Forget a key; return what was under it. Of two who ask at the same time one gets it."""
        with self._lock:
            one = self._kept.pop(_digest(key), None)
            return one.value if one is not None and one.until > self._clock() else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
