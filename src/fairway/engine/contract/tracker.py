"""The error tracker that a release is asked about while it is watched, as ``release.json`` names it."""

from __future__ import annotations

import enum
import ipaddress
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fairway.engine.contract.environment import KEY
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields

#: A service lists so many issues without being asked for more of them, and some to spare.
MAX_NEW_ISSUES = 40
SENTRY_URL = "https://sentry.io"

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,253}(?:/[A-Za-z0-9._~/-]{0,200})?")
_SLUG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,99}")


class Service(enum.Enum):
    """Whose API it is. They have the same paths, and different words for what is new."""

    SENTRY = "sentry"
    GLITCHTIP = "glitchtip"


@dataclass(frozen=True)
class Tracker:
    """Where a release's errors arrive, and how many issues it may bring.

    ``token_key`` is the key of the host's environment file that holds the token to ask with.
    """

    url: str
    service: Service
    organization: str
    project: str
    token_key: str
    max_new_issues: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it as ``release.json`` has it."""
        return {**vars(self), "service": self.service.value}

    @classmethod
    def parse(cls, fields: Fields) -> Tracker:
        """Read it strictly. Raises ``Invalid``."""
        tracker = cls(
            url=fields.parsed("url", tracker_url),
            service=fields.one_of("service", Service),
            organization=fields.parsed("organization", slug),
            project=fields.parsed("project", slug),
            token_key=fields.matching("token_key", KEY, "a variable's name"),
            max_new_issues=fields.integer("max_new_issues", maximum=MAX_NEW_ISSUES),
        )
        fields.end()
        return tracker


def slug(value: str) -> str:
    """Check the short name of an organization or a project, which becomes a part of a path."""
    if not _SLUG.fullmatch(value):
        raise Invalid(f"not the short name of an organization or a project: {value[:100]!r}")
    return value


def tracker_url(value: str) -> str:
    """Check where an error tracker is. A token goes there, so in the clear only to this machine or its own network."""
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        host = ""
    if not host or not _ADDRESS.fullmatch(value) or value.endswith("/") or "/../" in f"{value}/":
        raise Invalid(
            f"not the address of an error tracker: {value[:100]!r}",
            why="like https://sentry.example.com, without a slash at its end, a login or a query",
        )
    if value.startswith("http://") and not _is_near(host):
        raise Invalid(
            "the token for the error tracker would be sent in the clear",
            why=f"http:// is taken for localhost and an address of a private network alone, not for {host[:100]!r}",
            hint="write https://",
        )
    return value


def _is_near(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
