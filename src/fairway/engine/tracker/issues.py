"""What an error tracker is asked, and what its answer means. Nothing of an answer is trusted.

Sources: Sentry's "List a Project's Issues" and "Issue Properties". GlitchTip has the same path and
takes every word of a query that it does not know for a tag, so that Sentry's ``firstRelease`` finds
nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import parse_json
from fairway.engine.contract.tracker import Service, Tracker

_MAX_ISSUES = 1000
_SHOWN = 5
_TITLE_LENGTH = 120
# A release's or an environment's name that needs no quoting in a query, whoever reads it.
_PLAIN = re.compile(r"[A-Za-z0-9._@+:/-]{1,200}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,60}")
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?(?:Z|\+00:?00)")
_LINK = re.compile(r"https?://[A-Za-z0-9.:-]{1,253}/[\x21-\x7e]{0,300}")
# A message that somebody sent on purpose is no error.
_ERRORS = ("error", "fatal")


@dataclass(frozen=True)
class Subject:
    """What the running release calls itself to the tracker. ``made_at`` is when the release was made."""

    release: str
    environment: str
    made_at: str


@dataclass(frozen=True)
class Issue:
    """One kind of error, in words that are safe to show."""

    name: str
    title: str
    link: str

    def __str__(self) -> str:
        return f"{self.name}: {self.title} ({self.link})"


def question(tracker: Tracker, subject: Subject) -> str:
    """Return the path and query that list the unresolved issues of a release, the new ones among them.

    Raises ``Invalid`` for a name that cannot be asked for.
    """
    for name in (subject.release, subject.environment):
        if not _PLAIN.fullmatch(name):
            raise Invalid(f"the application calls itself {name[:60]!r}, which no query can name")
    if tracker.service is Service.SENTRY:
        query = {"query": f'is:unresolved firstRelease:"{subject.release}"', "statsPeriod": ""}
    else:
        # The new ones first, as only so many are listed.
        query = {"query": f'is:unresolved release:"{subject.release}"', "sort": "-first_seen"}
    asked = urlencode({**query, "environment": subject.environment})
    path = urlsplit(tracker.url).path
    return f"{path}/api/0/projects/{tracker.organization}/{tracker.project}/issues/?{asked}"


def read_issues(tracker: Tracker, subject: Subject, content: bytes) -> tuple[Issue, ...]:
    """Return the issues that are new in the release. Raises ``Invalid`` for an answer that is none.

    GlitchTip lists every issue that the release had a part in. New is one that it says to be of this
    release first, and, where it does not say, one first seen since the release was made.
    """
    document = parse_json(content, "the error tracker's answer")
    if not isinstance(document, list) or len(document) > _MAX_ISSUES:
        raise Invalid("the error tracker's answer is no list of issues")
    return tuple(_issues(tracker, subject, document))


def _issues(tracker: Tracker, subject: Subject, document: list[Any]) -> Iterator[Issue]:
    for item in document:
        if not isinstance(item, dict) or not _IDENTIFIER.fullmatch(str(item.get("id", ""))):
            raise Invalid("the error tracker's answer has an issue without an id")
        if item.get("level", "error") not in _ERRORS:
            continue
        if tracker.service is Service.GLITCHTIP and not _is_new(item, subject):
            continue
        yield _issue(tracker, item)


def _is_new(item: dict[str, Any], subject: Subject) -> bool:
    first = item.get("firstRelease")
    if isinstance(first, dict) and isinstance(first.get("version"), str):
        return bool(first["version"] == subject.release)
    seen = _TIME.fullmatch(str(item.get("firstSeen")))
    if seen is None:
        raise Invalid("the error tracker's answer has an issue that does not say when it was first seen")
    return seen[1] >= subject.made_at[:19]


def _issue(tracker: Tracker, item: dict[str, Any]) -> Issue:
    identity, short = str(item["id"]), str(item.get("shortId") or "")
    link = str(item.get("permalink") or "")
    if not _LINK.fullmatch(link):
        organization = tracker.organization
        place = f"organizations/{organization}" if tracker.service is Service.SENTRY else organization
        link = f"{tracker.url}/{place}/issues/{identity}"
    return Issue(short if _IDENTIFIER.fullmatch(short) else f"issue {identity}", _plain(item.get("title")), link)


def _plain(value: Any) -> str:
    """Return a text of somebody else's as one line that does nothing to a terminal or to the order of its letters."""
    if not isinstance(value, str):
        return "untitled"
    # The Unicode that is printable holds neither escapes nor what turns the direction of writing.
    line = " ".join("".join(one if one.isprintable() else " " for one in value[: 4 * _TITLE_LENGTH]).split())
    return (line if len(line) <= _TITLE_LENGTH else line[:_TITLE_LENGTH] + "...") or "untitled"


def judge(issues: Sequence[Issue], tracker: Tracker) -> str | None:
    """Say why a release brings too many new issues to keep it, or None."""
    if len(issues) <= tracker.max_new_issues:
        return None
    allowed = f"{tracker.max_new_issues} may be" if tracker.max_new_issues else "none may be"
    lines = [f"{counted(len(issues))} in the error tracker, {allowed}"]
    lines += [str(one) for one in issues[:_SHOWN]]
    if len(issues) > _SHOWN:
        lines.append(f"and {len(issues) - _SHOWN} more")
    return "\n".join(lines)


def counted(number: int) -> str:
    """Say how many issues are new."""
    return f"{number or 'no'} new issue{'' if number == 1 else 's'}"
