"""What is done about a host's backups once they are taken: when, how long they stay, where copies go."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from fairway.engine.backups.schedule import Schedule
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.manifest import bundle_path

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_TARGET = re.compile(r"[A-Za-z0-9/:][\x21-\x7e]{0,500}")
# What a tool would read a password from, and whoever lists processes as well.
_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]*@|(?:^|[,:_])(?:pass|password|secret_access_key|token)=", re.IGNORECASE)
_MOST = 10_000


class Tool(enum.Enum):
    """What copies backups off the host."""

    RESTIC = "restic"
    RCLONE = "rclone"


def target(value: str) -> str:
    """Check where copies go, in the words of the tool that makes them."""
    if not _TARGET.fullmatch(value):
        raise Invalid(
            f"not a place for copies: {value[:60]!r}",
            why='a restic repository like "sftp:backup@vault:/srv/shop", an rclone remote like "vault:shop", or a path',
        )
    if _PASSWORD.search(value):
        raise Invalid(
            "a place for copies holds a password",
            why="it would show in the list of processes and in the record",
            hint="put it in the host's environment file under a variable the tool knows, and name that in offsite_env",
        )
    return value


@dataclass(frozen=True)
class Offsite:
    """Where copies go, and which keys of the host's environment file the tool needs for it.

    ``env_keys`` reach it as environment variables of the same names; ``password_key`` is
    the one that holds the password of a restic repository.
    """

    tool: Tool
    target: str
    env_file: str
    password_key: str | None = None
    env_keys: tuple[str, ...] = ()

    @classmethod
    def parse(cls, fields: Fields) -> Offsite:
        """Take it out of a document. Raises ``Invalid`` naming the key."""
        offsite = cls(
            tool=fields.one_of("tool", Tool),
            target=fields.parsed("target", target),
            env_file=fields.parsed("env_file", bundle_path),
            password_key=fields.nullable(
                "password_key", lambda: fields.matching("password_key", _KEY, "the key of an environment file")
            ),
            env_keys=fields.texts("env_keys", max_items=50),
        )
        fields.end()
        if unknown := [key for key in offsite.env_keys if not _KEY.fullmatch(key)]:
            raise Invalid(f"not the key of an environment file: {unknown[0][:60]!r}")
        return offsite


@dataclass(frozen=True)
class Upkeep:
    """When backups are taken and tried, for how many days, weeks and months one stays, where copies go."""

    schedule: Schedule | None = None
    drill: Schedule | None = None
    daily: int = 7
    weekly: int = 4
    monthly: int = 6
    offsite: Offsite | None = None

    @classmethod
    def parse(cls, fields: Fields) -> Upkeep:
        """Take it out of a document. Raises ``Invalid`` naming the key."""
        upkeep = cls(
            schedule=fields.nullable("schedule", lambda: fields.parsed("schedule", Schedule)),
            drill=fields.nullable("drill", lambda: fields.parsed("drill", Schedule)),
            daily=fields.integer("daily", maximum=_MOST),
            weekly=fields.integer("weekly", maximum=_MOST),
            monthly=fields.integer("monthly", maximum=_MOST),
            offsite=fields.nullable("offsite", lambda: Offsite.parse(fields.object("offsite"))),
        )
        fields.end()
        return upkeep

    def as_json(self) -> dict[str, object]:
        """Return it as a document."""
        offsite = self.offsite
        return {
            "schedule": self.schedule.text if self.schedule else None,
            "drill": self.drill.text if self.drill else None,
            "daily": self.daily,
            "weekly": self.weekly,
            "monthly": self.monthly,
            "offsite": {**offsite.__dict__, "tool": offsite.tool.value, "env_keys": list(offsite.env_keys)}
            if offsite
            else None,
        }
