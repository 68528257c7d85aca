"""What a deployment found and rests on, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairway.dashboard.following import Entry
from fairway.dashboard.views.reading import text


@dataclass(frozen=True)
class Note:
    """What a step found, for the record."""

    name: str
    words: str


def noted(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return what the steps noted so far, by the names it will have on record."""
    found: dict[str, Any] = {}
    for entry in entries:
        if entry["kind"] != "note":
            continue
        facts = {key: value for key, value in entry.items() if key not in ("at", "kind", "step")}
        of = {"migrate": "schema", "backup": "backup"}.get(text(entry.get("step")))
        if of is not None:
            found[of] = {**found.get(of, {}), **facts}
        else:
            found.update(facts)
    return found


def notes_of(facts: Mapping[str, Any]) -> tuple[Note, ...]:
    tellers = (
        ("schema", "Database", _schema),
        ("backup", "Backup before it", _backup),
        ("rehearsal", "Rehearsal", _rehearsal),
        ("evidence", "Rests on", _evidence),
        ("forced", "Forced", _forced),
    )
    told = [(title, tell(facts[key])) for key, title, tell in tellers if facts.get(key)]
    return tuple(Note(title, text(words)) for title, words in told if words)


def _schema(found: Any) -> str:
    if not isinstance(found, dict):
        return ""
    before, after, missing = (found.get(key) for key in ("before", "after", "missing"))
    words = []
    if isinstance(after, list):
        had = {text(one) for one in before} if isinstance(before, list) else set()
        new = [text(one) for one in after if text(one) not in had]
        words.append(f"applied {', '.join(new)}" if new else "no migration was new")
    if isinstance(missing, list) and missing:
        words.append(f"not applied: {', '.join(map(text, missing))}")
    return "; ".join(words)


def _backup(found: Any) -> str:
    return text(found.get("backup")) if isinstance(found, dict) else text(found)


def _rehearsal(found: Any) -> str:
    if not isinstance(found, dict):
        return ""
    return ": ".join(filter(None, (text(found.get("outcome")), text(found.get("why")))))


def _evidence(found: Any) -> str:
    if not isinstance(found, list):
        return ""
    return ", ".join(f"{text(one.get('kind'))} by {text(one.get('by'))}" for one in found if isinstance(one, dict))


def _forced(found: Any) -> str:
    if not isinstance(found, dict):
        return text(found)
    over = found.get("over")
    what = f", over {', '.join(map(text, over)) if isinstance(over, list) else text(over)}" if over else ""
    return f"{text(found.get('reason'))}{what}"
