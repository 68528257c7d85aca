"""Whose word a statement is: every way in which one can be none is refused by its reason."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.statement import Kind, Signed, Statement
from fairway.engine.contract.trust import Key, Keys, Role
from fairway.engine.gate.checking import Judged, judge, read_signature
from tests.unit.engine.gate.signers import AT, key, keys, sign, signed, statement

NOW = datetime(2026, 1, 31, 13, tzinfo=UTC)
STAGING, ANN, ROOT = "staging:one", "ann@example.com", "root@example.com"


def one(what: Signed, known: Keys | None = None, now: datetime = NOW) -> Judged:
    return judge(known or keys(), [what], now)[0]


@pytest.mark.parametrize(
    "said, owner, role",
    [
        (statement(Kind.READY), STAGING, Role.HOST),
        (statement(Kind.SOAKED), STAGING, Role.HOST),
        (statement(Kind.DEPLOYED), STAGING, Role.HOST),
        (statement(Kind.APPROVED), ANN, Role.REVIEWER),
        (statement(Kind.APPROVED, replaces=None, reason="looked at it"), ANN, Role.REVIEWER),
        (statement(Kind.REJECTED), ANN, Role.REVIEWER),
        (statement(Kind.OVERRIDDEN), ROOT, Role.ADMIN),
    ],
)
def test_what_a_known_key_says_in_its_role_is_believed(said: Statement, owner: str, role: Role) -> None:
    found = one(signed(said, owner, role))
    assert (found.valid, found.who, found.statement) == (True, owner, said), found.why


@pytest.mark.parametrize(
    "what, known, why",
    [
        (lambda: signed(statement(Kind.APPROVED), "eve@example.com", Role.REVIEWER), keys(), "does not know"),
        (lambda: signed(statement(Kind.APPROVED), STAGING, Role.REVIEWER), keys(), "as host, not as reviewer"),
        (lambda: signed(statement(Kind.READY), ANN, Role.HOST), keys(), "as reviewer, not as host"),
        (lambda: signed(statement(Kind.OVERRIDDEN), ANN, Role.ADMIN), keys(), "as reviewer, not as admin"),
        (lambda: signed(statement(Kind.APPROVED), ANN, Role.HOST), keys(), "in the namespace 'host@fairway.dev'"),
        (lambda: sign(statement(Kind.APPROVED).to_bytes(), ANN, "file"), keys(), "in the namespace 'file'"),
        (
            lambda: signed(statement(Kind.APPROVED), ANN, Role.REVIEWER),
            keys(key(ANN, Role.REVIEWER, revoked=AT, why="the laptop is lost")),
            "was revoked on 2026-01-31: the laptop is lost",
        ),
        (
            lambda: signed(statement(Kind.READY), STAGING, Role.HOST),
            keys(key(STAGING, Role.HOST, until="2026-01-30T00:00:00.000Z")),
            "ended on 2026-01-30",
        ),
        (
            lambda: signed(statement(Kind.READY, environment="production"), STAGING, Role.HOST),
            keys(),
            "speaks for production:one, but the key is that of staging:one",
        ),
        (
            lambda: signed(statement(Kind.READY, host="two"), STAGING, Role.HOST),
            keys(),
            "speaks for staging:two",
        ),
        (
            lambda: signed(statement(Kind.READY, at="2026-01-31T13:06:00.000Z"), STAGING, Role.HOST),
            keys(),
            "still to come",
        ),
        (
            lambda: signed(statement(Kind.READY, at="2026-02-30T13:06:00.000Z"), STAGING, Role.HOST),
            keys(),
            "not a time",
        ),
        (
            lambda: signed(statement(Kind.APPROVED, expires="2026-02-31T12:00:00.000Z"), ANN, Role.REVIEWER),
            keys(),
            "not a time",
        ),
    ],
)
def test_what_is_not_believed_says_why(what, known: Keys, why: str) -> None:  # type: ignore[no-untyped-def]
    found = one(what(), known)
    assert not found.valid
    assert why in found.why


def test_what_a_rotated_key_said_before_stays_valid() -> None:
    ended = keys(key(STAGING, Role.HOST, until="2026-01-31T12:30:00.000Z"))
    assert one(signed(statement(Kind.READY), STAGING, Role.HOST), ended).valid


def test_a_key_that_was_revoked_under_one_name_is_not_believed_under_another() -> None:
    again = Key("ann.again@example.com", Role.REVIEWER, key(ANN, Role.REVIEWER).public, AT)
    both = Keys((again, key(ANN, Role.REVIEWER, revoked=AT)))
    found = one(signed(statement(Kind.APPROVED), ANN, Role.REVIEWER), both)
    assert "revoked" in found.why


def test_a_key_twice_in_a_statement_is_refused() -> None:
    content = statement(Kind.APPROVED).to_bytes()
    twice = content.replace(b'"environment":"production"', b'"environment":"staging","environment":"production"')
    found = one(sign(twice, ANN, Role.REVIEWER.namespace))
    assert "is there twice" in found.why


@pytest.mark.parametrize("extra", [b'"only_if":"monday",', b'"Environment":"production",'])
def test_a_field_that_nobody_knows_is_refused_for_it_may_narrow_the_meaning(extra: bytes) -> None:
    content = statement(Kind.APPROVED).to_bytes().replace(b'"expires"', extra + b'"expires"')
    found = one(sign(content, ANN, Role.REVIEWER.namespace))
    assert "unknown key" in found.why


def test_a_signature_over_other_bytes_is_none() -> None:
    good = signed(statement(Kind.APPROVED), ANN, Role.REVIEWER)
    other = statement(Kind.APPROVED, environment="staging").to_bytes()
    found = one(Signed(other, good.signature))
    assert "not one over these bytes" in found.why


def test_a_statement_edited_by_one_byte_at_any_position_is_refused() -> None:
    good = signed(statement(Kind.APPROVED), ANN, Role.REVIEWER)
    edited = []
    for position in range(len(good.statement)):
        content = bytearray(good.statement)
        content[position] = ord("0") if content[position] != ord("0") else ord("1")
        edited.append(Signed(bytes(content), good.signature))
    believed = [found.signed.statement for found in judge(keys(), edited, NOW) if found.valid]
    assert believed == []


def test_a_signature_edited_by_one_byte_at_any_position_is_refused() -> None:
    good = signed(statement(Kind.APPROVED), ANN, Role.REVIEWER)
    lines = good.signature.strip().splitlines()
    content = base64.b64decode("".join(lines[1:-1]))
    edited = []
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        armored = "\n".join([lines[0], base64.b64encode(bytes(changed)).decode(), lines[-1], ""])
        edited.append(Signed(good.statement, armored))
    believed = [index for index, found in enumerate(judge(keys(), edited, NOW)) if found.valid]
    assert believed == []


def test_one_bad_statement_does_not_spoil_the_others() -> None:
    good = signed(statement(Kind.READY), STAGING, Role.HOST)
    found = judge(keys(), [Signed(b"{", "x"), good, Signed(b"\xff", "")], NOW)
    assert [one.valid for one in found] == [False, True, False]


def test_a_name_is_never_taken_from_the_statement() -> None:
    # Eve signs what says that it is of staging's host; her key is known as a host of another environment.
    known = keys(key(STAGING, Role.HOST), key("test:one", Role.HOST))
    found = one(signed(statement(Kind.READY), "test:one", Role.HOST), known)
    assert "the key is that of test:one" in found.why


def test_a_clock_that_is_a_little_ahead_is_no_reason() -> None:
    assert one(signed(statement(Kind.READY), STAGING, Role.HOST), now=NOW - timedelta(hours=1, minutes=4)).valid


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(), st.binary().map(lambda raw: _armored(raw)), st.binary().map(lambda raw: _armored(b"SSHSIG" + raw))
    )
)
def test_no_signature_is_more_than_refused(text: str) -> None:
    try:
        read_signature(text)
    except FairwayError:
        return


def _armored(raw: bytes) -> str:
    return f"-----BEGIN SSH SIGNATURE-----\n{base64.b64encode(raw).decode()}\n-----END SSH SIGNATURE-----\n"
