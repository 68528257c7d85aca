"""What the host tells Prometheus, for whoever wants to read it now."""

from __future__ import annotations

from typing import Any

from fairway.engine.contract.protocol import Operation
from fairway.engine.metrics.collect import expose
from fairway.engine.metrics.textfile import file_of
from fairway.engine.operations import Answer, Call


def _metrics(call: Call) -> dict[str, Any]:
    call.args.end()
    host = call.host()
    path = file_of(host)
    return {"exposition": expose(call.layout, host), "file": str(path) if path else None}


OPERATIONS: dict[Operation, Answer] = {Operation.METRICS: _metrics}
