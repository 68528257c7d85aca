"""The protocol between the control side and the engine, version 1.

Both directions are JSON lines over the standard input and output of
``engine serve``. The client writes one request a line::

    {"protocol": 1, "client": "0.1.0", "op": "deploy", "args": {...}}

and the engine answers each with any number of events and then exactly one
``result`` or ``error``::

    {"kind": "journal", "entry": {...}}
    {"kind": "result", "value": {...}, "engine": "0.1.0", "protocol": 1}
    {"kind": "error", "error": {"what": "...", "why": "...", "hint": "...", "exit_code": 3}, "engine": "0.1.0", ...}

End of input is not a cancel: a deployment that was accepted goes on without its
client. A client that wants it reverted says so, with ``cancel``, over any connection.
"""

from __future__ import annotations

import enum
import json
from typing import Any

import fairway
from fairway.engine.contract.errors import Invalid, OtherVersion
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.versions import UPGRADE

PROTOCOL = 1
MAX_LINE_BYTES = 16 * 1024 * 1024


class Operation(enum.Enum):
    """What a client may ask of an engine."""

    HELLO = "hello"
    CONFIGURE = "configure"
    INSTALL_UNIT = "install_unit"
    LOGIN = "login"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    RESTART = "restart"
    RECONCILE = "reconcile"
    CANCEL = "cancel"
    FOLLOW = "follow"
    STATUS = "status"
    HISTORY = "history"
    LEDGER = "ledger"
    PRUNE = "prune"
    LOGS = "logs"
    DOCTOR = "doctor"
    EDGE_UPGRADE = "edge-upgrade"
    EDGE_FIGURES = "edge-figures"
    SURVEY = "survey"
    GROUND = "ground"
    PREPARE = "prepare"
    TRUST = "trust"
    SET_TRUST = "set-trust"
    EVIDENCE = "evidence"
    JUDGE = "judge"
    GATE = "gate"
    MIGRATIONS = "migrations"
    REHEARSE = "rehearse"
    LOCK = "lock"
    UNLOCK = "unlock"
    BACKUP_CREATE = "backup-create"
    BACKUP_LIST = "backup-list"
    BACKUP_VERIFY = "backup-verify"
    BACKUP_RESTORE = "backup-restore"
    BACKUP_PRUNE = "backup-prune"
    BACKUP_DROP_OLD = "backup-drop-old"
    BACKUP_DRILL = "backup-drill"
    BACKUP_COPY = "backup-copy"
    ENV = "env"
    COMPARE_ENV = "compare-env"
    SEALED_ENV = "sealed-env"
    SET_SEALED_ENV = "set-sealed-env"
    SECRETS_SCAN = "secrets-scan"
    SECRETS_CLEAR = "secrets-clear"
    METRICS = "metrics"
    UPTIME = "uptime"
    NOTIFY_LIST = "notify-list"
    NOTIFY_TEST = "notify-test"


class EventKind(enum.Enum):
    """What an engine tells before it answers. A client passes over a kind it does not know: none decides anything."""

    NOTICE = "notice"
    JOURNAL = "journal"
    LOG = "log"
    ENTRY = "entry"


class Outcome(enum.Enum):
    """How a deployment ended, or something else that is on the record."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNCHANGED = "unchanged"
    #: Nobody heard whether it was done; no deployment ends so.
    UNKNOWN = "unknown"


def encode(document: dict[str, Any]) -> bytes:
    """Return one protocol line."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def request(operation: Operation, **args: Any) -> dict[str, Any]:
    """Build a request; the arguments are the operation's own."""
    return {"protocol": PROTOCOL, "client": fairway.__version__, "op": operation.value, "args": args}


def answer(document: dict[str, Any]) -> dict[str, Any]:
    """Complete the line that ends an answer, result or error, with which engine gave it."""
    return {**document, "engine": fairway.__version__, "protocol": PROTOCOL}


def read_request(line: bytes) -> tuple[Operation, Fields]:
    """Parse a request line. Raises ``Invalid`` when it is not one this engine understands."""
    if len(line) > MAX_LINE_BYTES:
        raise Invalid(f"the request is too long: more than {MAX_LINE_BYTES} bytes")
    fields = Fields(parse_json(line, "the request"), "request")
    version = fields.integer("protocol")
    if version != PROTOCOL:
        # Nothing else in it means for certain what it means here.
        older = "this engine" if version > PROTOCOL else "the client"
        hint = "fairway bootstrap <environment>" if version > PROTOCOL else UPGRADE
        raise OtherVersion(f"the client speaks protocol {version}, this engine {PROTOCOL}: {older} is older", hint=hint)
    if fields.has("client"):
        fields.text("client", max_length=50)
    name = fields.text("op", max_length=40)
    try:
        operation = Operation(name)
    except ValueError:
        raise OtherVersion(
            f"this engine does not know the operation {name!r}",
            hint="update the host: fairway bootstrap <environment>",
        ) from None
    args = fields.object("args")
    fields.end()
    return operation, args
