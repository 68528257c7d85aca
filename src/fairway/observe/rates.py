"""What the edge does per second, from two looks at what it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ANSWERS = ("2xx", "3xx", "4xx", "5xx")
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"


@dataclass(frozen=True)
class Rates:
    """Per second, between two looks. ``failures`` are connections and answers that broke; the edge has none itself."""

    requests: float
    answers: Mapping[str, float]
    failures: float | None

    def as_json(self) -> dict[str, Any]:
        """Return them as a document."""
        rounded = {kind: round(value, 3) for kind, value in self.answers.items()}
        failures = None if self.failures is None else round(self.failures, 3)
        return {"requests": round(self.requests, 3), "answers": rounded, "failures": failures}


def rates(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> dict[str, Rates | None]:
    """Return the rates of the edge as a whole, and of each slot, between two of the host's answers.

    None stands for those that cannot be told: at the first look, and where the edge
    counts anew since the one before, as it does when a release begins to be watched
    or HAProxy is replaced.
    """
    parts: dict[str, Mapping[str, Any]] = {"edge": after, **after["slots"]}
    if before is None:
        return dict.fromkeys(parts)
    elapsed_s = float(after["clock_s"]) - float(before["clock_s"])
    earlier: dict[str, Mapping[str, Any]] = {"edge": before, **before["slots"]}
    return {name: _between(earlier.get(name), part, elapsed_s) for name, part in parts.items()}


def _between(before: Mapping[str, Any] | None, after: Mapping[str, Any], elapsed_s: float) -> Rates | None:
    if before is None or elapsed_s <= 0:
        return None
    counted = {kind: after["answers"][kind] - before["answers"][kind] for kind in ANSWERS}
    requests = after["requests"] - before["requests"]
    failures = after["failures"] - before["failures"] if "failures" in after else None
    if min(requests, failures or 0, *counted.values()) < 0:
        return None
    per_s = {kind: count / elapsed_s for kind, count in counted.items()}
    return Rates(requests / elapsed_s, per_s, None if failures is None else failures / elapsed_s)


def figures(after: Mapping[str, Any], found: Mapping[str, Rates | None]) -> list[tuple[str, list[str]]]:
    """Return the lines of a table, a measure each: its name, then the edge's figure and that of each slot."""
    slots: Mapping[str, Mapping[str, Any]] = after["slots"]
    lines = [("requests/s", [_rate(found[name], "requests") for name in ("edge", *slots)])]
    lines += [(f"{kind}/s", [_rate(found[name], kind) for name in ("edge", *slots)]) for kind in ANSWERS]
    lines.append(("broken/s", ["", *(_rate(found[name], "failures") for name in slots)]))
    lines.append(("connections", [str(after["connections"]), *(str(one["connections"]) for one in slots.values())]))
    lines.append(("queue", [str(after["queue"]), *(str(one["queue"]) for one in slots.values())]))
    lines.append(("waited ms", ["", *(str(one["queue_ms"]) for one in slots.values())]))
    lines.append(("first byte ms", ["", *(str(one["response_ms"]) for one in slots.values())]))
    lines.append(("last byte ms", ["", *(str(one["total_ms"]) for one in slots.values())]))
    lines.append(("state", ["", *(_state(str(one["state"])) for one in slots.values())]))
    return lines


def _rate(found: Rates | None, what: str) -> str:
    value = None if found is None else {"requests": found.requests, "failures": found.failures, **found.answers}[what]
    return "-" if value is None else _number(value)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.1f}"


def _state(said: str) -> str:
    """Return HAProxy's word for a server's state; a slot is not checked by HAProxy itself."""
    return "up" if said == "no check" else said.lower()


def bars(values: Sequence[float], width: int, *, ascii_only: bool = False) -> str:
    """Return the newest values as a line of bars, the highest of them being the tallest."""
    shown = values[-width:] if width > 0 else []
    top = max(shown, default=0.0)
    levels = _ASCII_BARS if ascii_only else _BARS
    return "".join(levels[round(value / top * (len(levels) - 1)) if top else 0] for value in shown)


def scale(values: Sequence[float], width: int) -> str:
    """Say what the bars of these values are, and how much the tallest is; nothing where there is none."""
    shown = values[-width:] if width > 0 else []
    return f"requests/s, the highest {_number(max(shown))}" if shown else ""
