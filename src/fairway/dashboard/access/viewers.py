"""Who may look, by what a provider or a proxy says of them. An empty list lets nobody in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairway.config.checks import PERSON
from fairway.config.dashboard import EVERYBODY, Dashboard

_PERSON = re.compile(PERSON)


@dataclass(frozen=True)
class Viewers:
    """The people and groups of ``[dashboard]``."""

    people: frozenset[str]
    groups: frozenset[str]
    groups_claim: str

    @classmethod
    def of(cls, table: Dashboard) -> Viewers:
        """Return those of a configuration."""
        claim = table.oidc.groups_claim if table.oidc is not None else ""
        return cls(frozenset(table.viewers), frozenset(table.viewer_groups), claim)

    def name_of(self, claims: Mapping[str, Any]) -> str | None:
        """Return the name of somebody whom a provider says this of; None when they may not look."""
        email = _verified_email(claims)
        if email is not None and email.lower() in {one.lower() for one in self.people}:
            return email
        told = claims.get(self.groups_claim)
        groups = [told] if isinstance(told, str) else told if isinstance(told, list) else []
        if not any(isinstance(group, str) and group in self.groups for group in groups):
            return None
        return email or str(claims.get("preferred_username") or claims.get("sub") or "somebody")[:254]

    def has(self, user: str) -> bool:
        """Say whether somebody whom a proxy names so may look."""
        return EVERYBODY in self.people or user in self.people


def is_name(text: str) -> bool:
    """Say whether this names one person: two headers that a proxy has joined do not."""
    return _PERSON.fullmatch(text) is not None


def _verified_email(claims: Mapping[str, Any]) -> str | None:
    email = claims.get("email")
    verified = claims.get("email_verified") is True
    return email if verified and isinstance(email, str) and "@" in email and is_name(email) else None
