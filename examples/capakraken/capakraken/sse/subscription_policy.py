"""What a signed-in user hears of: their own channel, and nothing that a role or a request could widen."""

from __future__ import annotations


def channel_of(user_id: int) -> str:
    """Return the channel of one user: the only audience there is."""
    return f"timeline:user:{user_id}"
