"""Carry a change to the users it concerns, through Redis, so that every process hears of it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from capakraken.sse.subscription_policy import channel_of

_QUIET_S = 15.0


@dataclass(frozen=True)
class Event:
    """One change, as the browser receives it."""

    name: str
    data: dict[str, Any]


def encode(event: Event) -> bytes:
    """Return an event as a server-sent one (HTML Living Standard, 9.2)."""
    return f"event: {event.name}\ndata: {json.dumps(event.data)}\n\n".encode()


class EventBus:
    """Publishes to users by their id and subscribes one user to their own channel."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def publish(self, user_ids: Iterable[int], event: Event) -> None:
        """Tell these users. Who they are is decided by membership in the project, before."""
        message = json.dumps({"name": event.name, "data": event.data})
        for user_id in user_ids:
            await self._redis.publish(channel_of(user_id), message)

    async def events_for(self, user_id: int) -> AsyncGenerator[Event | None, None]:
        """Yield what this user is told, and None when nothing was for a while."""
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(channel_of(user_id))
            while True:
                message = await subscription.get_message(ignore_subscribe_messages=True, timeout=_QUIET_S)
                if message is None:
                    yield None
                    continue
                document = json.loads(message["data"])
                yield Event(document["name"], document["data"])
