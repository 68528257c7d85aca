"""How available environments are: what their own hosts say, put beside what others see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WINDOWS = ("day", "week", "month")


@dataclass(frozen=True)
class View:
    """An environment's front door as seen from one host.

    ``seen_from`` is that host's environment. A host that does not look, or could not be
    asked, has ``door`` None, and says in ``why`` what is missing.
    """

    environment: str
    seen_from: str
    door: Mapping[str, Any] | None
    why: str = ""

    @property
    def state(self) -> str:
        """Up, down or unknown."""
        return str(self.door["state"]) if self.door is not None else "unknown"

    @property
    def reason(self) -> str:
        """What is to be said of it besides its state; nothing where all is well."""
        return str(self.door["why"]) if self.door is not None else self.why

    @property
    def outages(self) -> Sequence[Mapping[str, Any]]:
        """The last ones, the newest first."""
        found: Sequence[Mapping[str, Any]] = self.door["outages"] if self.door is not None else ()
        return found

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        if self.door is not None:
            facts = {key: value for key, value in self.door.items() if key != "environment"}
            return {"seen_from": self.seen_from, **facts}
        unknown = dict.fromkeys(WINDOWS)
        return {
            "seen_from": self.seen_from,
            "url": None,
            "state": self.state,
            "since": None,
            "asked_at": None,
            "availability": unknown,
            "why": self.why,
            "outages": [],
        }


def views(
    names: Sequence[str], watchers: Mapping[str, Sequence[str]], answers: Mapping[str, Mapping[str, Any]]
) -> list[View]:
    """Put together what the hosts say: for each environment first its own, then the others.

    ``watchers`` are the environments whose hosts are to look at each; ``answers`` are the
    hosts' own, by environment, with ``error`` where there is none. One that looks without
    being told to any more is left out.
    """
    return [_view(name, watcher, answers[watcher]) for name in names for watcher in watchers[name]]


def _view(name: str, watcher: str, answer: Mapping[str, Any]) -> View:
    if "error" in answer:
        return View(name, watcher, None, f"{answer['error']['what']}: {answer['error']['why']}".rstrip(": "))
    for door in answer["doors"]:
        if door["environment"] == name:
            return View(name, watcher, door)
    return View(name, watcher, None, f"its host does not look at it yet: fairway bootstrap {watcher}")


def share(ratio: float | None) -> str:
    """Return an availability as people read it, and never as whole when it was not.

    >>> share(1.0), share(0.999999), share(0.98765), share(None)
    ('100%', '99.99%', '98.76%', '-')
    """
    if ratio is None:
        return "-"
    hundredths = int(round(ratio * 1e6) / 100)  # cut, not rounded: 99.999 is not 100
    return f"{hundredths // 100}%" if hundredths % 100 == 0 else f"{hundredths / 100:.2f}%"


def availability_words(availability: Mapping[str, Any]) -> str:
    """Say how available it was."""
    return ", ".join(f"{share(availability[window])} of the {window}" for window in WINDOWS)


def outage_lines(seen: Sequence[View], limit: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for each outage, the newest first: where, since when, how long, seen from where, why."""
    from fairway.observe.durations import duration

    found = [(str(outage["began"]), view, outage) for view in seen for outage in view.outages]
    for began, view, outage in sorted(found, key=lambda one: one[0], reverse=True)[:limit]:
        lasted = "goes on" if outage["ended"] is None else duration(float(outage["seconds"] or 0))
        yield (view.environment, began[:19].replace("T", " "), lasted, view.seen_from, str(outage["why"]))
