"""The secrets of this process: from its environment only. Here they are looked at, never shown and never written.

An earlier version kept them in the table ``SystemSettings``; what is left there can be seen by
name and cleared. There is no way to put one in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from capakraken.schema import system_settings

#: Each with what makes it required, or nothing.
RUNTIME_SECRETS: Mapping[str, str] = {
    "OPENAI_API_KEY": "",
    "AZURE_OPENAI_API_KEY": "",
    "AZURE_DALLE_API_KEY": "",
    "GEMINI_API_KEY": "",
    "SMTP_PASSWORD": "SMTP_USER",
    "ANONYMIZATION_SEED": "ANONYMIZATION_MODE=deterministic",
}


class NotCleared(Exception):
    """The request asks for something else than clearing a leftover."""


@dataclass(frozen=True)
class SecretStatus:
    """Where one secret comes from; ``length`` is that of the value in the environment, 0 when there is none."""

    key: str
    length: int
    required: bool
    left_over: bool

    @property
    def source(self) -> str:
        """Say where it comes from, in a word."""
        return "environment" if self.length else "nowhere"

    @property
    def status(self) -> str:
        """Say whether that is as it should be."""
        if self.length:
            return f"set, {self.length} characters"
        return "missing, and required" if self.required else "not set"


def statuses(environ: Mapping[str, str], left_over: frozenset[str]) -> list[SecretStatus]:
    """Return the status of each secret; no value is in it."""
    return [
        SecretStatus(key, len(environ.get(key, "")), _holds(environ, condition), key in left_over)
        for key, condition in RUNTIME_SECRETS.items()
    ]


def _holds(environ: Mapping[str, str], condition: str) -> bool:
    name, _, wanted = condition.partition("=")
    value = environ.get(name, "") if name else ""
    return value == wanted if wanted else bool(value)


def wanted_key(form: Mapping[str, object]) -> str:
    """Return which leftover a form asks to clear. Raises ``NotCleared`` when it holds anything but a known name."""
    if set(form) != {"key"}:
        raise NotCleared("only the name of a leftover is taken: secrets are set in the environment, never here")
    key = form["key"]
    if not isinstance(key, str) or key not in RUNTIME_SECRETS:
        raise NotCleared("that is not the name of a secret")
    return key


_FILLED = func.coalesce(system_settings.c.value, "") != ""


async def find_leftovers(engine: AsyncEngine) -> frozenset[str]:
    """Return the names that the database still has a value of; no value is read."""
    query = select(system_settings.c.key).where(system_settings.c.key.in_(RUNTIME_SECRETS), _FILLED)
    async with engine.connect() as connection:
        return frozenset((await connection.execute(query)).scalars())


async def clear_leftover(engine: AsyncEngine, key: str) -> None:
    """Empty one."""
    change = update(system_settings).where(system_settings.c.key == key, _FILLED)
    async with engine.begin() as connection:
        await connection.execute(change.values(value=None, updatedAt=func.now()))
