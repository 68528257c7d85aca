"""What the gate's checklist is told with, and statements as they are shown."""

from __future__ import annotations

from typing import Any

import pytest

from fairway.engine.contract.errors import Failed, OtherVersion, Refused, Unreachable
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.statement import Kind, Signed
from fairway.evidence.collect import Collected
from fairway.evidence.declare import declare, judge
from fairway.evidence.explain import Standing, ask_gate
from fairway.evidence.sign import SigningKey
from fairway.evidence.telling import row, tell
from fairway.registry import Archive
from tests.unit.engine.gate.signers import private_key, statement
from tests.unit.evidence.hosts import Answer, StubHost
from tests.unit.evidence.releases import archived
from tests.unit.registry.fake_registry import FakeRegistry
from tests.unit.registry.test_archive import REPOSITORY

RELEASED = archived()
ANSWER = {"environment": "production", "met": True, "locked": None, "replaces": None, "approvals": 1, "checks": []}


def standing(guarded: bool | None = True, **changes: Any) -> Standing:
    return Standing(RELEASED.named, {**ANSWER, **changes}, guarded, Collected(()))


def test_where_all_is_seen_to_there_is_nothing_to_note() -> None:
    assert standing().notes == []
    assert standing().met


@pytest.mark.parametrize(
    "found, noted",
    [
        (standing(approvals=0), "CI alone can bring a release to production"),
        (standing(approvals=0), "enforced by GitHub, not by the host"),
        (standing(guarded=False), "whoever holds the deploy login can change it"),
        (standing(guarded=None), "does not say whether an administrator keeps its policy"),
        (standing(locked={"by": "ann", "since": "2026-01-31T12:00:00.000Z", "reason": "audit"}), "locked by ann since"),
        (standing(replaces=RELEASED.named.name), "is what serves on production already"),
    ],
)
def test_what_the_checklist_does_not_see_to_is_noted(found: Standing, noted: str) -> None:
    assert noted in " ".join(found.notes)


@pytest.mark.parametrize(
    "answer, guarded",
    [
        ({"guarded": True}, True),
        ({"guarded": False}, False),
        ({}, False),
        (OtherVersion("this engine does not know the operation 'trust'"), None),
        (Failed("the engine met something it does not know"), None),
    ],
)
def test_who_keeps_the_policy_is_unknown_where_the_engine_does_not_say(answer: Answer, guarded: bool | None) -> None:
    host = StubHost(gate=ANSWER, trust=answer)
    assert ask_gate(host, RELEASED, Collected(())).guarded is guarded
    operation, args = host.asked[0]
    assert (operation, args["evidence"]) == (Operation.GATE, [])


def test_a_host_that_is_gone_is_not_taken_for_one_that_does_not_say() -> None:
    with pytest.raises(Unreachable):
        ask_gate(StubHost(gate=ANSWER, trust=Unreachable("gone")), RELEASED, Collected(()))


def test_a_statement_is_shown_with_whose_word_it_is() -> None:
    signed = Signed(statement(Kind.APPROVED, reason="fine\x9b2J").to_bytes(), "signature")
    told = tell(signed, {"valid": True, "who": "ann@example.com", "role": "reviewer", "why": ""})
    assert row(told)[:3] == ("approved", "ann@example.com", "production")
    assert row(told)[4] == "yes"
    assert "until 2026-02-02 12:00" in told["says"]
    assert "\\x9b" in told["says"]
    refused = tell(signed, {"valid": False, "who": None, "role": None, "why": "not a key of anybody"})
    assert row(refused)[4] == "no: not a key of anybody"
    assert row(tell(signed, None))[4] == "not judged"


@pytest.mark.parametrize(
    "kind, says",
    [
        (Kind.READY, ""),
        (Kind.SOAKED, "served 900 s"),
        (Kind.DEPLOYED, "in place of "),
        (Kind.REJECTED, "because"),
        (Kind.OVERRIDDEN, "until 2026-02-02 12:00, because"),
    ],
)
def test_each_kind_says_what_it_is_about(kind: Kind, says: str) -> None:
    assert tell(Signed(statement(kind).to_bytes(), ""), None)["says"].startswith(says)


def test_what_the_host_would_not_believe_is_archived_nowhere() -> None:
    fake = FakeRegistry()
    archive = Archive(fake.client(), REPOSITORY)
    key = SigningKey(private_key("ann@example.com"), "--key")
    said = statement(Kind.APPROVED)
    wrong: Answer = {"verdicts": [{"valid": False, "who": None, "role": None, "why": "a key it does not know"}]}
    with pytest.raises(Refused, match="production would not believe this: a key it does not know"):
        declare(StubHost(judge=wrong), archive.statements, said, key)
    assert archive.statements.about(said.release).statements == ()
    right: Answer = {"verdicts": [{"valid": True, "who": "ann@example.com", "role": "reviewer", "why": ""}]}
    declared = declare(StubHost(judge=right), archive.statements, said, key)
    assert [one.tag for one in archive.statements.about(said.release).statements] == [declared.archived_as]


def test_verdicts_are_as_many_as_statements() -> None:
    with pytest.raises(Failed, match="another number"):
        judge(StubHost(judge={"verdicts": []}), [Signed(b"", "")])
