"""May this process take traffic? Database, schema and Redis, each asked with a short patience."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from capakraken.schema import metadata

PATIENCE_S = 2.0

Check = Callable[[], Awaitable[None]]


class NotReady(Exception):
    """A check's own reason, fit to be shown: it never holds a setting."""


@dataclass(frozen=True)
class Readiness:
    """What the checks found; a check without a reason has passed."""

    reasons: Mapping[str, str | None]

    @property
    def ready(self) -> bool:
        """Say whether every check has passed."""
        return all(reason is None for reason in self.reasons.values())

    def as_json(self) -> dict[str, Any]:
        """Return the document that ``GET /api/ready`` answers with."""
        return {
            "ready": self.ready,
            "failing": [name for name, reason in self.reasons.items() if reason is not None],
            "checks": {name: reason or "ok" for name, reason in self.reasons.items()},
        }


async def examine(checks: Mapping[str, Check]) -> Readiness:
    """Run the checks side by side."""
    reasons = await asyncio.gather(*(_reason(check) for check in checks.values()))
    return Readiness(dict(zip(checks, reasons, strict=True)))


async def _reason(check: Check) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await check()
    except NotReady as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {PATIENCE_S:g} s"
    except Exception as error:
        # A driver's message may quote the address and user it was given; its kind does not.
        return f"no connection ({type(error).__name__})"
    return None


def missing_columns(present: set[tuple[str, str]]) -> list[str]:
    """Return the columns this build uses that the database lacks; more than it uses is fine."""
    wanted = {(table.name, column.name) for table in metadata.tables.values() for column in table.columns}
    return sorted(f"{table}.{column}" for table, column in wanted - present)


def checks_for(engine: AsyncEngine, redis: Redis) -> dict[str, Check]:
    """Return the checks of this application."""

    async def database() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def schema() -> None:
        query = text("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'")
        async with engine.connect() as connection:
            present = {(row[0], row[1]) for row in await connection.execute(query)}
        if missing := missing_columns(present):
            raise NotReady(f"the database lacks {', '.join(missing[:3])}: run the migrations")

    async def cache() -> None:
        await redis.ping()

    return {"database": database, "schema": schema, "redis": cache}
