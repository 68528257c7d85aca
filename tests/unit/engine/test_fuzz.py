"""Whatever is said to an engine, and whatever a statement holds: an answer in words, and nothing believed."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.protocol import MAX_LINE_BYTES, Operation
from fairway.engine.contract.statement import Kind, Signed, parse_signed, parse_statement
from fairway.engine.contract.trust import Role, parse_keys, parse_policy
from fairway.engine.gate.checking import judge
from fairway.engine.layout import Layout
from fairway.engine.serve import Server
from tests.unit.engine.gate.signers import keys, signed, statement

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_NOW = datetime(2026, 1, 31, 13, tzinfo=UTC)
# An upgrade or a login would start programs; what they are asked with is taken apart in the same way.
_QUIET = [op for op in Operation if op not in (Operation.LOGIN, Operation.DOCTOR, Operation.SURVEY)]
_ARGUMENTS = [
    "manifest",
    "bundle",
    "by",
    "tag",
    "wait_s",
    "ticket",
    "recreate",
    "evidence",
    "plan",
    "reason",
    "statements",
    "deployment",
    "skip",
    "limit",
    "service",
    "tail",
    "follow",
    "image",
    "project",
    "env_file",
    "host",
    "registries",
    "required",
    "policy",
    "keys",
]


def answers(line: bytes, directory: Path) -> list[dict[str, Any]]:
    sink = io.BytesIO()
    Server(Layout(directory), io.BytesIO(line + b"\n"), sink).serve()
    return [json.loads(said) for said in sink.getvalue().splitlines()]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), _JSON.map(lambda value: json.dumps(value).encode())))
def test_a_line_that_is_no_request_is_answered_in_words(tmp_path: Path, line: bytes) -> None:
    for said in answers(line, tmp_path):
        assert said["kind"] == "error"
        assert "does not know: " not in said["error"]["what"], said


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(_QUIET),
    st.dictionaries(st.sampled_from(_ARGUMENTS), _JSON | st.just("sha-4f2a9c1"), max_size=6),
)
def test_a_request_with_any_arguments_is_answered_in_words(
    tmp_path: Path, operation: Operation, args: dict[str, Any]
) -> None:
    line = json.dumps({"protocol": 1, "op": operation.value, "args": args}).encode()
    said = answers(line, tmp_path)[-1]
    if said["kind"] == "error":
        assert "the engine met something it does not know" not in said["error"]["what"], said
        assert said["error"]["exit_code"] in (1, 2, 3, 4, 5)


def test_a_line_without_an_end_is_not_read_to_the_end_of_memory(tmp_path: Path) -> None:
    said = answers(b"x" * (MAX_LINE_BYTES + 1), tmp_path)
    assert {one["kind"] for one in said} == {"error"}


_SAID = [statement(kind).to_bytes() for kind in Kind]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | _JSON.map(lambda value: json.dumps(value).encode()))
@pytest.mark.parametrize("parse", [parse_statement, parse_signed, parse_keys, parse_policy])
def test_no_bytes_are_more_than_refused(parse: Any, content: bytes) -> None:
    try:
        parse(content)
    except FairwayError:
        return


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(_SAID), st.data())
def test_a_statement_with_a_value_of_another_kind_is_refused_or_says_the_same(content: bytes, data: Any) -> None:
    document = json.loads(content)
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(_JSON)
    changed = json.dumps(document).encode()
    try:
        found = parse_statement(changed)
    except FairwayError:
        return
    assert json.loads(found.to_bytes()) == json.loads(changed)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(list(Kind)), st.binary(min_size=1, max_size=8), st.integers(min_value=0))
def test_bytes_put_in_anywhere_are_never_believed(kind: Kind, extra: bytes, where: int) -> None:
    role = {"overridden": Role.ADMIN, "approved": Role.REVIEWER, "rejected": Role.REVIEWER}.get(kind.value, Role.HOST)
    owner = {Role.ADMIN: "root@example.com", Role.REVIEWER: "ann@example.com", Role.HOST: "staging:one"}[role]
    good = signed(statement(kind), owner, role)
    position = where % (len(good.statement) + 1)
    edited = Signed(good.statement[:position] + extra + good.statement[position:], good.signature)
    assert not judge(keys(), [edited], _NOW)[0].valid
