"""How much one receiver gets of one event: a bucket of tokens that fills again over an hour.

Pure functions over the bucket and the time, in seconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

HOUR_S = 3600.0


@dataclass(frozen=True)
class Bucket:
    """What is left of an hour's messages, and what was held back: how many, since when, the last one's title."""

    tokens: float
    at: float
    held: int = 0
    since: str = ""
    last: str = ""


def filled(bucket: Bucket | None, now: float, most: int) -> Bucket:
    """Return the bucket as it is now: one that is new is full, and a clock that was put back takes nothing away."""
    if bucket is None:
        return Bucket(float(most), now)
    gained = max(0.0, now - bucket.at) * most / HOUR_S
    return replace(bucket, tokens=min(float(most), bucket.tokens + gained), at=now)


def take(bucket: Bucket) -> Bucket | None:
    """Take a token out; None when there is none."""
    return replace(bucket, tokens=bucket.tokens - 1.0) if bucket.tokens >= 1.0 else None


def hold(bucket: Bucket, at: str, title: str) -> Bucket:
    """Note that a message was held back."""
    return replace(bucket, held=bucket.held + 1, since=bucket.since or at, last=title)


def released(bucket: Bucket) -> Bucket:
    """Return the bucket after somebody was told what it held back."""
    return replace(bucket, held=0, since="", last="")


def free_at(bucket: Bucket, most: int) -> float:
    """Return when there is a token again."""
    return bucket.at + max(0.0, 1.0 - bucket.tokens) * HOUR_S / most
