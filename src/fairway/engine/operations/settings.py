"""The host's settings and the secrets in them: looked at by fingerprint, replaced, and what is left of them cleared."""

from __future__ import annotations

from typing import Any

from fairway.engine.clearing import clear_host, scan_host
from fairway.engine.contract.names import Digest
from fairway.engine.contract.protocol import Operation
from fairway.engine.gate.hold import refuse_held
from fairway.engine.leftovers import take_expected
from fairway.engine.lock import Lock
from fairway.engine.operations import Answer, Call, base64_bytes, environment_of
from fairway.engine.ownership import as_deploy_user
from fairway.engine.settings import describe, describe_for_comparison, replace_sealed, sealed_now


def _env(call: Call) -> dict[str, Any]:
    environment = environment_of(call.args)
    call.args.end()
    call.host()
    return describe(call.layout, environment)


def _compare_env(call: Call) -> dict[str, Any]:
    environment = environment_of(call.args)
    key = call.args.parsed("comparing", base64_bytes, max_length=200)
    call.args.end()
    call.host()
    return describe_for_comparison(call.layout, environment, key)


def _sealed_env(call: Call) -> dict[str, Any]:
    environment = environment_of(call.args)
    call.args.end()
    call.host()
    return sealed_now(call.layout, environment)


def _set_sealed_env(call: Call) -> dict[str, Any]:
    environment = environment_of(call.args)
    content = call.args.parsed("content", base64_bytes, max_length=4_000_000)
    replaces = call.args.parsed("replaces", Digest) if call.args.has("replaces") else None
    by = call.args.text("by", max_length=200)
    wait_s = call.args.number("wait_s", maximum=86400) if call.args.has("wait_s") else 0.0
    call.args.end()
    host = call.host()
    with as_deploy_user(call.layout):
        lock = Lock.acquire(call.layout.lock, by=by, purpose="change of settings", wait_s=wait_s, notice=call.notice)
        try:
            refuse_held(call.layout, host.environment)
            return replace_sealed(call.layout, environment, content, replaces=replaces, by=by)
        finally:
            lock.release()


def _secrets_scan(call: Call) -> dict[str, Any]:
    call.args.end()
    return scan_host(call.layout, call.host())


def _secrets_clear(call: Call) -> dict[str, Any]:
    by = call.args.text("by", max_length=200)
    expected = take_expected(call.args, "expected")
    call.args.end()
    return clear_host(call.layout, call.host(), by=by, expected=expected)


OPERATIONS: dict[Operation, Answer] = {
    Operation.ENV: _env,
    Operation.COMPARE_ENV: _compare_env,
    Operation.SEALED_ENV: _sealed_env,
    Operation.SET_SEALED_ENV: _set_sealed_env,
    Operation.SECRETS_SCAN: _secrets_scan,
    Operation.SECRETS_CLEAR: _secrets_clear,
}
