"""What is said of each event: a title and a few lines, from templates."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable

from fairway.engine.notifications.happenings import Happening
from fairway.engine.notifications.plain import harmless, line, lines
from fairway.engine.notifications.receivers import Event

MAX_TITLE = 150
MAX_BODY = 1800
_MAX_FACT = 200
_MAX_REASON = 900
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})")
# What may come in several lines; everything else is one.
_LONG = ("what", "why", "next")

Clean = Callable[[str], str]


@dataclass(frozen=True)
class Template:
    """How an event is told. ``kind`` is apprise's word for how grave it is.

    A line of ``body`` is left out when it has placeholders and nothing is known of any.
    """

    kind: str
    title: str
    body: str


_WHAT_WHY_NEXT = "$what\nWhy: $why\nNext: $next"
_ATTEMPT = "At $at, $action by $by, after $took, in the step $step"

TEMPLATES: Mapping[Event, Template] = {
    Event.DEPLOYED: Template(
        "success",
        "$tag serves",
        "Deployed by $by in $took, at $at.\nIt replaces $replaces.\nForced: $reason"
        "\nBut: $what\nWhy: $why\nNext: $next",
    ),
    Event.FAILED: Template(
        "failure",
        "$action of $tag failed",
        f"{_WHAT_WHY_NEXT}\nWhat served before serves: $replaces\n{_ATTEMPT}",
    ),
    Event.SENT_BACK: Template(
        "failure",
        "$tag was sent back by itself",
        f"{_WHAT_WHY_NEXT}\nIt had traffic, which went back to $replaces\n{_ATTEMPT}",
    ),
    Event.ROLLED_BACK: Template(
        "warning",
        "rolled back to $tag",
        "Rolled back by $by in $took, at $at.\n$replaces does not serve any more.\nForced: $reason"
        "\nBut: $what\nWhy: $why\nNext: $next",
    ),
    Event.APPROVAL_WANTED: Template(
        "info",
        "$tag waits for approval",
        "Everything else that is asked of it is met.\nMissing: $why\nNext: $next\nAsked for by $by, at $at.",
    ),
    Event.CANCELLED: Template("warning", "$action of $tag was cancelled", f"{_WHAT_WHY_NEXT}\n{_ATTEMPT}"),
    Event.RESTARTED: Template("info", "$tag was started again", "By $by in $took, at $at.\nBut: $what\nWhy: $why"),
    Event.RESTORED: Template("warning", "a backup was restored", "$backup is in use, put there by $by at $at."),
    Event.BACKUP_FAILED: Template("failure", "$action failed", f"{_WHAT_WHY_NEXT}\nAt $at, by $by"),
    Event.DRILL_FAILED: Template("failure", "$action failed", f"{_WHAT_WHY_NEXT}\nBackup: $backup\nAt $at, by $by"),
    Event.DRIFT: Template(
        "warning",
        "what runs is not what is on record",
        "$what\nSince $at\nNext: fairway reconcile $environment --plan",
    ),
    Event.DRIFT_ENDED: Template("success", "what runs is what is on record again", "$what\nAt $at, after $lasted"),
    Event.DOWN: Template(
        "failure", "down: $subject", "$what\nSince $at\nIt was up for $lasted\nNext: fairway status $environment"
    ),
    Event.UP: Template("success", "up again: $subject", "$what\nAt $at, after $lasted"),
    Event.LOCKED: Template("info", "locked by $by", "$reason\nNothing is deployed until: fairway unlock $environment"),
    Event.UNLOCKED: Template("info", "unlocked by $by", "$reason"),
    Event.EDGE_UPGRADED: Template("info", "the edge was upgraded", "By $by in $took, at $at."),
}


@dataclass(frozen=True)
class Message:
    """What a receiver gets, fit to be shown anywhere."""

    event: Event
    environment: str
    at: str
    kind: str
    title: str
    body: str


def message(happening: Happening, project: str, clean: Clean) -> Message:
    """Say what happened. ``clean`` takes secrets out of what was said."""
    template = TEMPLATES[happening.event]
    facts = {
        # Cleaned as it was written: a secret with something in it that is not shown would not be known again.
        **{name: _shown(name, clean(text)) for name, text in happening.facts.items()},
        "environment": line(happening.environment, _MAX_FACT),
        "at": moment(happening.at),
    }
    title = _capital_free(_filled(template.title, facts))
    body = "\n".join(text for text in (_line(one, facts) for one in template.body.split("\n")) if text)
    return Message(
        happening.event,
        happening.environment,
        happening.at,
        template.kind,
        titled(project, happening.environment, title),
        harmless(lines(body, MAX_BODY)),
    )


def titled(project: str, environment: str, text: str) -> str:
    """Return a title, which says first whose it is."""
    return harmless(line(f"{project} {environment}: {text}", MAX_TITLE))


def moment(at: str) -> str:
    """Return a time as people write it."""
    found = _MOMENT.match(at)
    return f"{found[1]} {found[2]} UTC" if found else line(at, 40)


def _shown(name: str, text: str) -> str:
    return lines(text, _MAX_REASON) if name in _LONG else line(text, _MAX_FACT)


def _line(template: str, facts: Mapping[str, str]) -> str:
    """Fill one line, part by part between commas; what nothing is known of is left out."""
    parts = [part for part in template.split(", ") if not _named(part) or any(facts.get(n) for n in _named(part))]
    return _filled(", ".join(parts), facts) if parts else ""


def _named(template: str) -> list[str]:
    return re.findall(r"\$([a-z]+)", template)


def _filled(template: str, facts: Mapping[str, str]) -> str:
    known = {name: facts.get(name, "") for name in _named(template)}
    return string.Template(template).substitute(known)


def _capital_free(title: str) -> str:
    """Mend a title of which a part is not known: no blanks at its end, no colon before nothing."""
    return re.sub(r" of (?=failed|was )", " ", re.sub(r"\s+", " ", title)).strip().rstrip(":")
