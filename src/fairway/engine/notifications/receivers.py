"""Who is told, and what of: the receivers of ``fairway.toml`` as a host keeps them, without their addresses."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.manifest import bundle_path

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
MAX_RECEIVERS = 20
MAX_AN_HOUR = 1000


class Event(enum.Enum):
    """What may be told."""

    DEPLOYED = "deployed"
    FAILED = "failed"
    SENT_BACK = "sent-back"
    ROLLED_BACK = "rolled-back"
    APPROVAL_WANTED = "approval-wanted"
    CANCELLED = "cancelled"
    RESTARTED = "restarted"
    RESTORED = "restored"
    BACKUP_FAILED = "backup-failed"
    DRILL_FAILED = "drill-failed"
    DRIFT = "drift"
    DRIFT_ENDED = "drift-ended"
    DOWN = "down"
    UP = "up"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    EDGE_UPGRADED = "edge-upgraded"


#: What somebody did who was at the keyboard, and is of little news to the others.
QUIET = frozenset({Event.CANCELLED, Event.RESTARTED, Event.LOCKED, Event.UNLOCKED, Event.EDGE_UPGRADED})
USUAL = tuple(event for event in Event if event not in QUIET)


@dataclass(frozen=True)
class Receiver:
    """One place that is told.

    ``url_key`` is the key of the host's environment file that holds its apprise URL;
    ``at_most`` how many messages of one event and environment it gets in an hour.
    """

    url_key: str
    events: tuple[Event, ...] = USUAL
    at_most: int = 6

    @classmethod
    def parse(cls, fields: Fields) -> Receiver:
        """Take it out of a document. Raises ``Invalid`` naming the key."""
        receiver = cls(
            url_key=fields.matching("url_key", _KEY, "the key of an environment file"),
            events=tuple(_event(name) for name in fields.texts("events", max_items=100)),
            at_most=fields.integer("at_most", minimum=1, maximum=MAX_AN_HOUR),
        )
        fields.end()
        return receiver

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {"url_key": self.url_key, "events": [event.value for event in self.events], "at_most": self.at_most}


@dataclass(frozen=True)
class Notifications:
    """The receivers of this host, and the environment file that has their addresses."""

    env_file: str
    receivers: tuple[Receiver, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the environment file whose values are addresses."""
        return tuple(receiver.url_key for receiver in self.receivers)

    @classmethod
    def parse(cls, fields: Fields) -> Notifications:
        """Take it out of a document. Raises ``Invalid`` naming the key."""
        notifications = cls(
            env_file=fields.parsed("env_file", bundle_path),
            receivers=tuple(Receiver.parse(one) for one in fields.objects("receivers", max_items=MAX_RECEIVERS)),
        )
        fields.end()
        if len(set(notifications.keys)) < len(notifications.keys):
            raise Invalid("two receivers of notifications have the same url_key")
        return notifications

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {"env_file": self.env_file, "receivers": [receiver.as_json() for receiver in self.receivers]}


def _event(name: str) -> Event:
    try:
        return Event(name)
    except ValueError:
        raise Invalid(
            f"nothing is told of {name[:60]!r}", why=f"known are {', '.join(event.value for event in Event)}"
        ) from None
