"""What is proven of releases: the statements that a host has issued, and what it makes of those it is shown."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from fairway.engine.accept import Acceptance
from fairway.engine.backups.recording import restored_since_deployed
from fairway.engine.contract.manifest import MAX_MANIFEST_LENGTH
from fairway.engine.contract.names import Tag
from fairway.engine.contract.protocol import MAX_LINE_BYTES, Operation
from fairway.engine.deployment import take_evidence
from fairway.engine.gate.checking import judge
from fairway.engine.gate.hold import read_hold
from fairway.engine.gate.issued import statements_of
from fairway.engine.gate.store import read_keys, read_policy
from fairway.engine.operations import Answer, Call, base64_bytes
from fairway.engine.state import read_state


def _evidence(call: Call) -> dict[str, Any]:
    tag = call.args.parsed("tag", Tag)
    call.args.end()
    return {"statements": [signed.as_json() for signed in statements_of(call.layout, call.host(), tag)]}


def _judge(call: Call) -> dict[str, Any]:
    signed = take_evidence(call.args, "statements")
    call.args.end()
    judged = judge(read_keys(call.layout), signed, datetime.now(timezone.utc))
    return {
        "verdicts": [
            {
                "valid": one.valid,
                "who": one.key.name if one.key else None,
                "role": one.key.role.value if one.key else None,
                "why": one.why,
            }
            for one in judged
        ]
    }


def _gate(call: Call) -> dict[str, Any]:
    manifest = call.args.text("manifest", max_length=MAX_MANIFEST_LENGTH).encode()
    bundle = call.args.parsed("bundle", base64_bytes, max_length=MAX_LINE_BYTES)
    evidence = take_evidence(call.args, "evidence")
    call.args.end()
    host = call.host()
    decision = Acceptance(call.layout, host).gate(manifest, bundle, evidence)
    active = read_state(call.layout.state).active
    hold = read_hold(call.layout)
    return {
        "environment": host.environment,
        "met": decision.met,
        "locked": hold.as_json() if hold else None,
        "replaces": active.release if active else None,
        "replaces_tag": active.tag if active else None,
        "restored": restored_since_deployed(call.layout),
        "approvals": read_policy(call.layout).approvals,
        "checks": [check.as_json() for check in decision.checks],
    }


OPERATIONS: dict[Operation, Answer] = {
    Operation.EVIDENCE: _evidence,
    Operation.JUDGE: _judge,
    Operation.GATE: _gate,
}
