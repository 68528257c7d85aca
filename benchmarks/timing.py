"""Time what is done, tell what is going on, and write a time down."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence


def timed(act: Callable[[], object]) -> float:
    """Return the seconds that it takes."""
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


def say(text: str) -> None:
    """Tell whoever watches."""
    print(text, file=sys.stderr, flush=True)


def seconds(values: Sequence[float]) -> str:
    """Write the median of some times."""
    return f"{statistics.median(values):.2f} s"


def ratio(values: Sequence[float], base: Sequence[float]) -> str:
    """Write the median of the ratios round by round, which holds when the machine's speed drifts."""
    return f"{statistics.median(ours / theirs for ours, theirs in zip(values, base, strict=True)):.2f}"


def difference_s(values: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the differences round by round."""
    return statistics.median(ours - theirs for ours, theirs in zip(values, base, strict=True))
