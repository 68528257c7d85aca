"""What visitors met while a deployment ran, as lines of a chart and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fairway.dashboard.following import Look
from fairway.dashboard.views.reading import moment
from fairway.observe.rates import Rates

#: The chart's own size; it is drawn as wide as there is room.
WIDTH, HEIGHT = 600, 120
_ROWS = 20
_MAX_POINTS = 300
_FULL_SCALE_S = 10.0


@dataclass(frozen=True)
class Point:
    """Per second, at so many seconds after the deployment was accepted; None where it cannot be told.

    ``errors`` are answers 5xx and those that broke; ``edge_errors`` the edge's own, when no slot answered.
    """

    at_s: float
    old_requests: float | None
    old_errors: float | None
    new_requests: float | None
    new_errors: float | None
    edge_errors: float | None


@dataclass(frozen=True)
class Line:
    """A line of a chart: what it shows, and its pieces as SVG's ``points``."""

    name: str
    kind: str
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """One chart; ``top`` is the value at its upper edge, ``words`` says in a sentence what is to be seen."""

    title: str
    top: float
    lines: tuple[Line, ...]
    words: str


@dataclass(frozen=True)
class Traffic:
    """What the edge did meanwhile, each second, and when traffic began to move, in the same seconds."""

    points: tuple[Point, ...]
    until_s: float
    moved_s: float | None


def traffic(looks: Sequence[Look], began: datetime | None, new_slot: str, moved: datetime | None) -> Traffic:
    """Return what was seen from the beginning on; what has no time is left out."""
    old_slot = {"blue": "green", "green": "blue"}.get(new_slot, "")
    found: list[Point] = []
    for look in looks:
        at = moment(look.at)
        if at is None or began is None:
            continue
        old, new, edge = look.rates.get(old_slot), look.rates.get(new_slot), look.rates.get("edge")
        found.append(
            Point(
                at_s=round((at - began).total_seconds(), 1),
                old_requests=_requests(old),
                old_errors=_errors(old),
                new_requests=_requests(new),
                new_errors=_errors(new),
                edge_errors=_own_errors(edge, old, new),
            )
        )
    moved_s = round((moved - began).total_seconds(), 1) if moved is not None and began is not None else None
    points = tuple(found)
    return Traffic(points, points[-1].at_s if points else 0.0, moved_s)


def charts(seen: Traffic) -> tuple[Chart, ...]:
    """Return the requests and the errors, each with a line for either release."""
    points = _thinned(seen.points)
    if not points:
        return ()
    edge = (("the edge itself", "edge", [one.edge_errors for one in points]),)
    return (
        _chart(
            "Requests per second",
            seen,
            points,
            (
                ("old release", "old", [one.old_requests for one in points]),
                ("new release", "new", [one.new_requests for one in points]),
            ),
        ),
        _chart(
            "Errors per second",
            seen,
            points,
            (
                ("old release", "old", [one.old_errors for one in points]),
                ("new release", "new", [one.new_errors for one in points]),
                *(edge if any(one.edge_errors for one in points) else ()),
            ),
        ),
    )


def rows(seen: Traffic) -> tuple[Point, ...]:
    """Return so few points that they can be read as a table, each the mean of those it stands for."""
    size = -(-len(seen.points) // _ROWS) or 1
    return tuple(_mean(seen.points[start : start + size]) for start in range(0, len(seen.points), size))


def x_of(seen: Traffic, at_s: float) -> float:
    """Return where a moment is in a chart."""
    scale = max(seen.until_s, _FULL_SCALE_S)
    return round(min(max(at_s / scale, 0.0), 1.0) * WIDTH, 1)


def _chart(
    title: str, seen: Traffic, points: Sequence[Point], series: Sequence[tuple[str, str, list[float | None]]]
) -> Chart:
    known = [value for _, _, values in series for value in values if value is not None]
    top = max(known, default=0.0)
    lines = tuple(Line(name, kind, _pieces(seen, points, values, top)) for name, kind, values in series)
    words = ", ".join(f"{name}: {_summary(values)}" for name, _, values in series)
    return Chart(title, round(top, 1), lines, f"{title}. {words}")


def _summary(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not any(known):
        return "none"
    return f"{known[-1]:.1f} at the end, {max(known):.1f} at most"


def _pieces(seen: Traffic, points: Sequence[Point], values: Sequence[float | None], top: float) -> tuple[str, ...]:
    pieces: list[list[str]] = [[]]
    for point, value in zip(points, values, strict=True):
        if value is None:
            pieces.append([])
            continue
        y = HEIGHT - 2 - (value / top if top else 0.0) * (HEIGHT - 4)
        pieces[-1].append(f"{x_of(seen, point.at_s)},{y:.1f}")
    # A line of one point is none; it is drawn as a short one.
    return tuple(" ".join(piece if len(piece) > 1 else piece * 2) for piece in pieces if piece)


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    size = -(-len(points) // _MAX_POINTS) or 1
    if size == 1:
        return points
    return [_mean(points[start : start + size]) for start in range(0, len(points), size)]


def _mean(points: Sequence[Point]) -> Point:
    def mean(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return round(sum(known) / len(known), 2) if known else None

    return Point(
        points[-1].at_s,
        mean([one.old_requests for one in points]),
        mean([one.old_errors for one in points]),
        mean([one.new_requests for one in points]),
        mean([one.new_errors for one in points]),
        mean([one.edge_errors for one in points]),
    )


def _requests(found: Rates | None) -> float | None:
    return None if found is None else _finite(found.requests)


def _errors(found: Rates | None) -> float | None:
    return None if found is None else _finite(found.answers["5xx"] + (found.failures or 0.0))


def _own_errors(edge: Rates | None, old: Rates | None, new: Rates | None) -> float | None:
    if edge is None or old is None or new is None:
        return None
    return _finite(max(0.0, edge.answers["5xx"] - old.answers["5xx"] - new.answers["5xx"]))


def _finite(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None
