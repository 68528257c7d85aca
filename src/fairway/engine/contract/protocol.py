"""The protocol between the control side and the engine, version 1.

Both directions are JSON lines over the standard input and output of
``engine serve``. The client writes one request a line::

    {"protocol": 1, "op": "deploy", "args": {...}}

and the engine answers each with any number of events and then exactly one
``result`` or ``error``::

    {"kind": "journal", "entry": {...}}
    {"kind": "result", "value": {...}}
    {"kind": "error", "error": {"what": "...", "why": "...", "hint": "...", "exit_code": 3}}

End of input is not a cancel: a deployment that was accepted goes on without its client.
"""

from __future__ import annotations

import enum
import json
from typing import Any

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields, parse_json

PROTOCOL = 1
MAX_LINE_BYTES = 16 * 1024 * 1024


class Operation(enum.Enum):
    """What a client may ask of an engine."""

    HELLO = "hello"
    CONFIGURE = "configure"
    LOGIN = "login"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    FOLLOW = "follow"
    STATUS = "status"
    HISTORY = "history"
    LOGS = "logs"
    DOCTOR = "doctor"


class Outcome(enum.Enum):
    """How a deployment ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNCHANGED = "unchanged"


def encode(document: dict[str, Any]) -> bytes:
    """Return one protocol line."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def request(operation: Operation, **args: Any) -> dict[str, Any]:
    """Build a request; the arguments are the operation's own."""
    return {"protocol": PROTOCOL, "op": operation.value, "args": args}


def read_request(line: bytes) -> tuple[Operation, Fields]:
    """Parse a request line. Raises ``Invalid`` when it is not one this engine understands."""
    if len(line) > MAX_LINE_BYTES:
        raise Invalid(f"the request is too long: more than {MAX_LINE_BYTES} bytes")
    fields = Fields(parse_json(line, "the request"), "request")
    version = fields.integer("protocol")
    if version != PROTOCOL:
        raise Invalid(
            f"the client speaks protocol {version}, this engine speaks {PROTOCOL}",
            hint="bring the host to the client's version with: fairway bootstrap <environment>",
        )
    name = fields.text("op", max_length=40)
    try:
        operation = Operation(name)
    except ValueError:
        raise Invalid(
            f"this engine does not know the operation {name!r}",
            hint="update the host: fairway bootstrap <environment>",
        ) from None
    args = fields.object("args")
    fields.end()
    return operation, args
