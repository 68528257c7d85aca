"""What a host watches: front doors, as they are written in ``host.json`` and told in the protocol."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fairway.engine.contract.fields import Fields

#: A front door's address: no user, no password and no query, so that it may be shown to anybody.
URL = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?"
)
MINUTE_S = 60
MAX_INTERVAL_S = 3600
MAX_DOORS = 20
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,40}")
_PATH = re.compile(r"/[A-Za-z0-9._~/%?=&-]{0,254}")


@dataclass(frozen=True)
class Door:
    """Where an environment's visitors come in, and how often it is asked for readiness there.

    ``path`` is what was configured when the host was prepared.
    """

    environment: str
    url: str
    path: str
    interval_s: int = MINUTE_S

    def target(self, path: str | None = None) -> str:
        """Return what is asked, by another ``path`` where that is known better."""
        return self.url.rstrip("/") + (path or self.path)

    @property
    def stale_s(self) -> int:
        """Return after how long without a look nothing is known any more."""
        return 3 * self.interval_s + MINUTE_S

    def as_json(self) -> dict[str, Any]:
        """Return it as ``host.json`` has it."""
        return dict(self.__dict__)

    @classmethod
    def parse(cls, fields: Fields) -> Door:
        """Take a door out of a document. Raises ``Invalid`` naming the key."""
        door = cls(
            environment=fields.matching("environment", _ENVIRONMENT, "an environment name"),
            url=fields.matching("url", URL, "an address like https://www.example.com"),
            path=fields.matching("path", _PATH, "a path that starts with '/'"),
            interval_s=fields.integer("interval_s", minimum=MINUTE_S, maximum=MAX_INTERVAL_S),
        )
        fields.end()
        return door


def parse_doors(fields: tuple[Fields, ...]) -> tuple[Door, ...]:
    """Take what a host watches out of its configuration. Raises ``Invalid`` naming the key."""
    return tuple(Door.parse(one) for one in fields)
