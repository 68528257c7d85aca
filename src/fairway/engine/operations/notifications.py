"""Who is told what happens on this host: shown, and tried."""

from __future__ import annotations

from typing import Any

from fairway.engine.contract.protocol import Operation
from fairway.engine.notifications.spawning import telling
from fairway.engine.notifications.standing import list_receivers, send_test
from fairway.engine.operations import Answer, Call


def _list(call: Call) -> dict[str, Any]:
    call.args.end()
    return list_receivers(call.layout, call.host())


def _test(call: Call) -> dict[str, Any]:
    by = call.args.text("by", max_length=200)
    to = call.args.text("to", max_length=128) if call.args.has("to") else None
    call.args.end()
    with telling(call.layout):  # what waits for a receiver that can be reached again is sent, too
        return send_test(call.layout, call.host(), by=by, to=to)


OPERATIONS: dict[Operation, Answer] = {Operation.NOTIFY_LIST: _list, Operation.NOTIFY_TEST: _test}
