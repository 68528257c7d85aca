"""When a front door is down, when it is up again, and what there is to say: decided on answers alone.

One lost packet is no outage. A door that was up is down after three bad answers in a
row, and one that was down is up after two good ones; a look asks until that is
settled. A door that has never answered well is not down but unknown: what has not
been opened yet cannot close.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

#: So many bad answers in a row are an outage, so many good ones the end of one.
BAD_FOR_DOWN = 3
GOOD_FOR_UP = 2
#: Between two of them, in seconds.
APART_S = 3.0


@dataclass(frozen=True)
class Answer:
    """Whether the door was open, else why not, in words that are ours."""

    good: bool
    why: str = ""


class State(enum.Enum):
    """How a front door is."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


def settle(before: State, answers: Sequence[Answer]) -> State | None:
    """Return how the door is after these answers of one look; None when one more has to be asked for."""
    if not answers:
        return None
    good = answers[-1].good
    run = 0
    for answer in reversed(answers):
        if answer.good is not good:
            break
        run += 1
    if before is State.DOWN:
        if not good:
            return State.DOWN
        return State.UP if run >= GOOD_FOR_UP else None
    if good:
        return State.UP
    if run < BAD_FOR_DOWN:
        return None
    return State.DOWN if before is State.UP else State.UNKNOWN


@dataclass(frozen=True)
class Standing:
    """How something is, since when, and why."""

    state: State = State.UNKNOWN
    since: str | None = None
    why: str = ""


def down_words(environment: str, url: str, why: str, *, seen_from: str | None) -> str:
    """Say that visitors are not served; what follows the address is the reason."""
    seen = f", seen from {seen_from}" if seen_from else ""
    return f"{environment} is down{seen}, {url}: {why}"


def up_words(environment: str, url: str, seconds: float | None, *, seen_from: str | None) -> str:
    """Say that they are again."""
    seen = f", seen from {seen_from}" if seen_from else ""
    after = f" after {span(seconds)}" if seconds is not None else ""
    return f"{environment} is up again{after}{seen}, {url}"


def span(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 3 * 86400 else f"{seconds / 86400:.0f} days"
