"""What people sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.names import Digest
from fairway.engine.contract.statement import Kind
from fairway.engine.contract.trust import Role
from fairway.evidence.decision import UNASKED, Subject, allowance, parse_span, reason_line, rejection, role_for
from tests.unit.evidence.releases import archived

NAMED = archived().named
OLD = Digest.of(b"old")
SUBJECT = Subject(NAMED, "production", datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC))


def test_an_approval_names_what_it_replaces_and_when_it_ends() -> None:
    wanted = allowance(lasts=timedelta(hours=24), reason=None, override_freeze=False)
    said = wanted.statement(SUBJECT, OLD)
    assert (said.kind, said.release, said.environment, said.project) == (
        Kind.APPROVED,
        NAMED.name,
        "production",
        "capakraken",
    )
    assert (said.at, said.expires) == ("2026-01-31T12:00:00.123Z", "2026-02-01T12:00:00.123Z")
    assert (said.replaces, said.reason) == (OLD, None)
    assert wanted.statement(SUBJECT, None).replaces is None


def test_what_nobody_confirmed_on_a_terminal_says_so() -> None:
    for reason, signed in ((None, UNASKED), ("urgent", f"urgent {UNASKED}")):
        wanted = allowance(lasts=timedelta(hours=1), reason=reason, override_freeze=False).unasked()
        assert wanted.statement(SUBJECT, OLD).reason == signed


def test_an_override_is_an_administrator_s_and_needs_a_reason() -> None:
    with pytest.raises(Invalid, match="needs a reason"):
        allowance(lasts=timedelta(hours=1), reason=None, override_freeze=True)
    said = allowance(lasts=timedelta(hours=1), reason=" a leak ", override_freeze=True).statement(SUBJECT, OLD)
    assert (said.kind, said.reason, said.expires) == (Kind.OVERRIDDEN, "a leak", "2026-01-31T13:00:00.123Z")
    assert role_for(said.kind) is Role.ADMIN


def test_a_rejection_says_why() -> None:
    said = rejection(SUBJECT, reason="drops a column")
    assert (said.kind, said.reason, said.expires) == (Kind.REJECTED, "drops a column", None)
    assert role_for(said.kind) is Role.REVIEWER


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "x" * 401, "\x1b[2Jgone", "left\u202eright", "\udcff"])
def test_a_reason_is_one_line_that_shows_what_it_is(text: str) -> None:
    with pytest.raises(Invalid, match="one line"):
        reason_line(text)


@pytest.mark.parametrize(
    "text, seconds", [("90min", 5400), ("90m", 5400), ("24h", 86400), ("7d", 604800), (" 2 h ", 7200)]
)
def test_a_span_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_span(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "24", "h", "0h", "-1h", "31d", "1h30min", "1.5h", "99999999h", "1w"])
def test_what_is_no_span_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_span(text)
    assert "24h" in caught.value.why
