"""How the front doors are that the host watches, and what outages they had."""

from __future__ import annotations

from typing import Any

from fairway.engine import clock
from fairway.engine.contract.protocol import Operation
from fairway.engine.operations import Answer, Call
from fairway.engine.unit import unwatched
from fairway.engine.watcher.telling import describe_uptime, outages


def _uptime(call: Call) -> dict[str, Any]:
    """Neither Docker nor the edge is asked: what the last look has seen is told."""
    call.args.end()
    host, layout = call.host(), call.layout
    found = describe_uptime(layout, host, lambda: unwatched(layout, host)) or []
    return {
        "environment": host.environment,
        "at": clock.now(),
        "doors": [{**door, "outages": outages(layout, door["environment"], door["url"])} for door in found],
    }


OPERATIONS: dict[Operation, Answer] = {Operation.UPTIME: _uptime}
