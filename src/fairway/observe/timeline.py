"""The releases of all environments as one graph: a lane for each environment, the newest event at the top."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from fairway.engine.contract.protocol import Outcome
from fairway.observe.attempts import Attempt, Kind
from fairway.observe.durations import duration


class Mark(Enum):
    """What a lane shows where something happened: its sign, the one in ASCII, its colour."""

    SERVES = ("●", "*", "green")
    BACK = ("↩", "<", "yellow")
    FAILED = ("✗", "x", "red")
    STOPPED = ("○", "o", "yellow")
    AGAIN = ("↻", "~", "cyan")

    def sign(self, strokes: Strokes) -> str:
        """Return the sign to draw."""
        return self.value[1] if strokes is ASCII else self.value[0]

    @property
    def colour(self) -> str:
        """Return the colour, where there is one to be seen."""
        return str(self.value[2])


@dataclass(frozen=True)
class Strokes:
    """What the lanes are drawn with."""

    lane: str
    across: str
    crossing: str
    rightwards: str
    leftwards: str


LINES = Strokes("│", "─", "┼", "├", "┤")
ASCII = Strokes("|", "-", "+", "+", "+")
Piece = tuple[str, str]


@dataclass(frozen=True)
class Event:
    """One attempt, with what became of it.

    ``promoted_from`` is the environment whose release it is; ``until`` is when another
    release took its place, None while it serves and for one that never did.
    """

    attempt: Attempt
    mark: Mark
    promoted_from: str | None = None
    until: datetime | None = None
    serves: bool = False

    def words(self, now: datetime) -> str:
        """Say what happened."""
        one = self.attempt
        if not one.succeeded:
            return self._failure()
        done = {
            Kind.DEPLOY: f"promoted from {self.promoted_from}" if self.promoted_from else "deployed",
            Kind.ROLLBACK: f"rolled back from {str(one.replaces)[:11]}" if one.replaces else "rolled back to",
            Kind.RESTART: "restarted",
            Kind.RECONCILE: "reconciled",
        }[one.kind]
        by = f" by {one.by}" if one.by else ""
        if self.serves:
            return f"{done}{by}, serves for {duration((now - one.ended_at).total_seconds())}"
        served = f", served {duration((self.until - one.ended_at).total_seconds())}" if self.until else ""
        return f"{done}{by}{served}"

    def _failure(self) -> str:
        one = self.attempt
        if one.outcome is not Outcome.FAILED:
            return f"{one.kind.value} {one.outcome.value} by {one.by}"
        if one.refused:
            return f"{one.kind.value} refused: {one.error}"
        if one.sent_back:
            return f"sent back after {duration(one.exposed_s)} with visitors on it: {one.error}"
        return f"{one.kind.value} failed{f' in {one.failed_in}' if one.failed_in else ''}: {one.error}"

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        one = self.attempt
        return {
            "environment": one.environment,
            "at": one.ended_at.isoformat(),
            "action": one.kind.value,
            "outcome": one.outcome.value,
            "tag": one.tag,
            "replaces": one.replaces,
            "by": one.by,
            "promoted_from": self.promoted_from,
            "serves": self.serves,
            "until": self.until.isoformat() if self.until else None,
            "sent_back": one.sent_back,
            "failed_in": one.failed_in,
            "error": one.error or None,
        }


def tell(attempts: Iterable[Attempt], promote_from: Mapping[str, str | None]) -> list[Event]:
    """Return what happened everywhere, the newest first."""
    in_order = sorted(attempts, key=lambda one: one.ended_at)
    ran: dict[str, set[str]] = {}
    events: list[Event] = []
    for index, one in enumerate(in_order):
        source = promote_from.get(one.environment)
        promoted = one.kind is Kind.DEPLOY and source is not None and one.tag in ran.get(source, ())
        until = _replaced_at(one, in_order[index + 1 :]) if one.succeeded else None
        serves = one.succeeded and until is None
        # A restart goes on with what served: the span is told once, by what brought the release.
        spans = one.kind in (Kind.DEPLOY, Kind.ROLLBACK) and one.tag != one.replaces
        events.append(
            Event(one, _mark(one), source if promoted else None, until if spans else None, serves=serves and spans)
        )
        if one.succeeded:
            ran.setdefault(one.environment, set()).add(one.tag)
    return events[::-1]


def _replaced_at(one: Attempt, later: Sequence[Attempt]) -> datetime | None:
    others = (
        each.ended_at
        for each in later
        if each.environment == one.environment and each.succeeded and each.tag != one.tag
    )
    return next(others, None)


def _mark(one: Attempt) -> Mark:
    if one.outcome is Outcome.FAILED:
        return Mark.FAILED
    if not one.succeeded:
        return Mark.STOPPED
    return {Kind.DEPLOY: Mark.SERVES, Kind.ROLLBACK: Mark.BACK}.get(one.kind, Mark.AGAIN)


def draw(
    events: Sequence[Event], lanes: Sequence[str], *, now: datetime, width: int, strokes: Strokes = LINES
) -> list[list[Piece]]:
    """Return the graph's lines, each as pieces of text with their style.

    What does not fit in ``width`` goes on below, beside the lanes.
    """
    lines: list[list[Piece]] = [
        [(f"{strokes.lane} " * index, "dim"), (name, "bold")] for index, name in enumerate(lanes)
    ]
    indent = len(lanes) * 2
    for index, event in enumerate(events):
        ended_at = event.attempt.ended_at
        at = ended_at.strftime("%m-%d %H:%M" if ended_at.year == now.year else "%Y-%m-%d %H:%M")
        text = f"{at} {event.attempt.tag[:11]} {event.words(now)}"
        first, *rest = _wrapped(text, max(20, width - indent))
        style = "bold" if event.serves else ""
        lines.append([*_lanes(event, lanes, events[index:], strokes), (first, style)])
        below = _quiet(lanes, events[index + 1 :], strokes)
        lines += [[below, (more, style)] for more in rest]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines; a figure stays with its unit."""
    held = re.sub(r"(\d) (s|min|h|days)\b", "\\1\N{NO-BREAK SPACE}\\2", text)
    lines = textwrap.wrap(held, width, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _quiet(lanes: Sequence[str], older: Sequence[Event], strokes: Strokes) -> Piece:
    """Draw the lanes between two events; one begins where its first event stands."""
    begun = {event.attempt.environment for event in older}
    return "".join(f"{strokes.lane if lane in begun else ' '} " for lane in lanes), "dim"


def _lanes(event: Event, lanes: Sequence[str], from_here: Sequence[Event], strokes: Strokes) -> list[Piece]:
    begun = {each.attempt.environment for each in from_here}
    cells = [strokes.lane if lane in begun else " " for lane in lanes]
    gaps = [" "] * len(lanes)
    to = lanes.index(event.attempt.environment)
    if event.promoted_from in lanes:
        source = lanes.index(str(event.promoted_from))
        low, high = sorted((source, to))
        gaps[low:high] = [strokes.across] * (high - low)
        for between in range(low + 1, high):
            cells[between] = strokes.crossing if cells[between] != " " else strokes.across
        cells[source] = strokes.rightwards if source < to else strokes.leftwards
    pieces = [("".join(map("".join, zip(cells[:to], gaps[:to], strict=True))), "dim")]
    pieces.append((event.mark.sign(strokes), event.mark.colour))
    rest = gaps[to] + "".join(map("".join, zip(cells[to + 1 :], gaps[to + 1 :], strict=True)))
    return [*pieces, (rest, "dim")]
