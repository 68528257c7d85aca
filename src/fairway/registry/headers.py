"""Parsers of the header fields a registry answers with. What it sends is somebody else's input.

Each returns nothing useful rather than raising: a field that cannot be understood is
a field that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MAX_LENGTH = 8192
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"\s*,?\s*({_NAME})(?:\s+|\s*$|(?=,))(?!\s*=)")
_PARAMETER = re.compile(rf'\s*,?\s*({_NAME})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_NAME}))')
_LINK = re.compile(r'\s*,?\s*<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]*))?)*)')
_REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))', re.IGNORECASE)


@dataclass(frozen=True)
class Challenge:
    """One way to authenticate that a server offers (RFC 9110, section 11)."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(value: str) -> list[Challenge]:
    """Parse a ``WWW-Authenticate`` field; schemes and parameter names come out in lower case.

    >>> parse_challenges('Bearer realm="https://r.example/token",service="r"')[0].parameters["service"]
    'r'
    """
    challenges: list[Challenge] = []
    position, value = 0, value[:_MAX_LENGTH]
    while scheme := _SCHEME.match(value, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(value, position):
            quoted, bare = parameter[2], parameter[3]
            text = bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(parameter[1].lower(), text)
            position = parameter.end()
        challenges.append(Challenge(scheme[1].lower(), parameters))
    return challenges


def lacks_right(values: Iterable[str]) -> bool:
    """Say whether ``WWW-Authenticate`` tells that the login is good and its rights are not (RFC 6750, section 3.1)."""
    challenges = parse_challenges(", ".join(values))
    return any(challenge.parameters.get("error") == "insufficient_scope" for challenge in challenges)


def next_link(value: str) -> str | None:
    """Return the target of the ``rel="next"`` link in a ``Link`` field (RFC 8288), or ``None``.

    >>> next_link('</v2/acme/app/tags/list?last=b&n=2>; rel="next"')
    '/v2/acme/app/tags/list?last=b&n=2'
    """
    position, value = 0, value[:_MAX_LENGTH]
    while link := _LINK.match(value, position):
        position = link.end()
        rel = _REL.search(link[2])
        if rel and "next" in (rel[1] or rel[2] or "").lower().split():
            return link[1]
    return None


def retry_after_s(value: str, now: datetime | None = None) -> float | None:
    """Return the seconds a ``Retry-After`` field asks for: a number, or a date."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        at = parsedate_to_datetime(value[:100])
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())
