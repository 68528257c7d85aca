"""What the edge counts: one question on its sockets, and the record for the names of what is in the slots."""

from __future__ import annotations

from typing import Any

from fairway.engine import clock
from fairway.engine.contract.names import Slot
from fairway.engine.contract.protocol import Operation
from fairway.engine.figures import read_figures
from fairway.engine.journal import latest_deployment
from fairway.engine.lock import deploying
from fairway.engine.operations import Answer, Call
from fairway.engine.state import read_state


def _figures(call: Call) -> dict[str, Any]:
    """Neither Docker nor the database is asked, so that it may be asked every second."""
    call.args.end()
    host, layout = call.host(), call.layout
    state = read_state(layout.state)
    recorded = {one.slot: one.tag for one in (state.previous, state.active) if one is not None}
    running = deploying(layout.lock)
    return {
        "environment": host.environment,
        "at": clock.now(),
        # Of this host, and of one boot: rates are taken between two answers of one connection.
        "clock_s": clock.monotonic(),
        "active": state.active.slot.value if state.active else None,
        "tags": {slot.value: recorded.get(slot) for slot in Slot},
        "deployment": {**running, "id": latest_deployment(layout)} if running is not None else None,
        **read_figures(layout.edge_run).as_json(),
    }


OPERATIONS: dict[Operation, Answer] = {Operation.EDGE_FIGURES: _figures}
