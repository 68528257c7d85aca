"""A release's migrations on a copy of the database, asked for by themselves."""

from __future__ import annotations

from typing import Any

from fairway.engine.contract.manifest import MAX_MANIFEST_LENGTH
from fairway.engine.contract.protocol import MAX_LINE_BYTES, Operation
from fairway.engine.deployment import take_evidence
from fairway.engine.operations import Answer, Call, base64_bytes
from fairway.engine.rehearsal.asking import rehearse


def _rehearse(call: Call) -> dict[str, Any]:
    manifest = call.args.text("manifest", max_length=MAX_MANIFEST_LENGTH).encode()
    bundle = call.args.parsed("bundle", base64_bytes, max_length=MAX_LINE_BYTES)
    evidence = take_evidence(call.args, "evidence") if call.args.has("evidence") else ()
    by = call.args.text("by", max_length=200)
    call.args.end()
    # A client that is gone ends it: nobody else hears how it went.
    return rehearse(call.layout, call.host(), manifest, bundle, evidence, by=by, notice=call.notice)


OPERATIONS: dict[Operation, Answer] = {Operation.REHEARSE: _rehearse}
