"""The decision, sentence by sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fairway.engine.contract.names import Digest
from fairway.engine.contract.statement import Kind, Signed
from fairway.engine.contract.trust import Policy, Requirement, Role, Window
from fairway.engine.gate.checking import Judged, role_for
from fairway.engine.gate.decide import Check, Decision, Question, decide
from tests.unit.engine.gate.signers import OLD, RELEASE, TAG, key, statement

NOW = datetime(2026, 1, 31, 13, tzinfo=UTC)  # a Saturday
QUESTION = Question(RELEASE, TAG, "capakraken", "production", "ann@example.com", OLD, NOW)
STAGING = Requirement("staging", soak_s=600, max_age_s=86400)
OWNERS = {Role.HOST: "staging:one", Role.REVIEWER: "ben@example.com", Role.ADMIN: "root@example.com"}


def said(kind: Kind, *, by: str = "", why: str = "", **changes: object) -> Judged:
    """Return a statement that is believed, or not for a reason."""
    made = statement(kind, **changes)
    role = role_for(kind)
    return Judged(Signed(made.to_bytes(), "signature"), made, key(by or OWNERS[role], role), why)


def check(decision: Decision, name: str) -> Check:
    return next(found for found in decision.checks if found.name.startswith(name))


def test_a_host_without_a_policy_takes_anything_and_says_so() -> None:
    decision = decide(Policy(), QUESTION, [])
    assert decision.met
    assert "needs nobody's word" in check(decision, "approvals").found


def test_a_host_that_takes_only_what_was_proven_takes_nothing_without_a_policy() -> None:
    assert not decide(Policy(), replace(QUESTION, proven_only=True), [said(Kind.READY)]).met


def test_what_staging_found_ready_and_ran_long_enough_may_go() -> None:
    decision = decide(Policy(requires=(STAGING,)), QUESTION, [said(Kind.READY), said(Kind.SOAKED)])
    assert decision.met
    assert "staging:one" in check(decision, "ready").found


@pytest.mark.parametrize(
    "proof, found",
    [
        ([], "nobody has said so"),
        ([said(Kind.READY, release=OLD)], "nobody has said so"),
        ([said(Kind.READY, project="another")], "nobody has said so"),
        ([said(Kind.READY, environment="test", why="")], "nobody has said so"),
        ([said(Kind.READY, why="signed with a key that this host does not know")], "does not know"),
        ([said(Kind.READY, at="2026-01-30T12:00:00.000Z")], "too old"),
        ([said(Kind.APPROVED)], "nobody has said so"),
        ([said(Kind.DEPLOYED)], "nobody has said so"),
    ],
)
def test_what_is_not_proven_ready_may_not_go(proof: list[Judged], found: str) -> None:
    decision = decide(Policy(requires=(Requirement("staging", max_age_s=86400),)), QUESTION, proof)
    assert not decision.met
    assert found in check(decision, "ready").found
    assert check(decision, "ready").hint == "fairway deploy staging sha-4f2a9c1"


@pytest.mark.parametrize(
    "proof, met, found",
    [
        ([], False, "nobody has said so; 10 min wanted"),
        ([said(Kind.SOAKED, soaked_s=599)], False, "9 min of 10 min"),
        ([said(Kind.SOAKED, soaked_s=600)], True, "10 min of 10 min"),
        ([said(Kind.SOAKED, soaked_s=5), said(Kind.SOAKED, soaked_s=7200)], True, "2 h of 10 min"),
        ([said(Kind.SOAKED, soaked_s=7200, why="revoked")], False, "revoked"),
    ],
)
def test_how_long_it_served_is_held_against_the_minimum(proof: list[Judged], met: bool, found: str) -> None:
    decision = decide(Policy(requires=(STAGING,)), QUESTION, [said(Kind.READY), *proof])
    assert check(decision, "soaked").met is met
    assert found in check(decision, "soaked").found


def test_two_environments_must_both_have_been_passed() -> None:
    policy = Policy(requires=(Requirement("test"), Requirement("staging")))
    assert not decide(policy, QUESTION, [said(Kind.READY)]).met
    assert decide(policy, QUESTION, [said(Kind.READY), said(Kind.READY, by="test:one", environment="test")]).met


def test_an_approval_that_fits_counts_once_for_each_reviewer() -> None:
    policy = Policy(approvals=2)
    ann, ben = said(Kind.APPROVED, by="ann@example.com"), said(Kind.APPROVED)
    assert not decide(policy, QUESTION, [ben, ben]).met
    decision = decide(policy, QUESTION, [ann, ben, ben])
    assert decision.met
    assert decision.rests_on == (ann, ben)


@pytest.mark.parametrize(
    "approval, changed, found",
    [
        (said(Kind.APPROVED, why="the key of ben was revoked"), {}, "was revoked"),
        (said(Kind.APPROVED, environment="staging"), {}, "for staging, not production"),
        (said(Kind.APPROVED, release=OLD), {}, "for another release"),
        (said(Kind.APPROVED, project="another"), {}, "for another project"),
        (said(Kind.APPROVED, expires="2026-01-31T13:00:00.000Z"), {}, "expired"),
        (said(Kind.APPROVED, replaces=None), {}, "for replacing nothing"),
        (said(Kind.APPROVED, replaces=RELEASE), {}, "for replacing"),
        (said(Kind.APPROVED), {"replaces": None}, "but nothing runs here"),
        (said(Kind.APPROVED), {"spent": "itself"}, "spent"),
    ],
)
def test_an_approval_that_does_not_fit_says_why(approval: Judged, changed: dict[str, object], found: str) -> None:
    if changed.get("spent"):
        changed = {"spent": frozenset({approval.signed.digest})}
    question = replace(QUESTION, **changed)  # type: ignore[arg-type]
    decision = decide(Policy(approvals=1), question, [approval])
    assert not decision.met
    assert found in check(decision, "approvals").found
    assert check(decision, "approvals").hint == "fairway approve sha-4f2a9c1 --environment production"


def test_only_the_named_approvers_count() -> None:
    policy = Policy(approvals=1, approvers=("ann@example.com",))
    assert "not one of the approvers" in check(decide(policy, QUESTION, [said(Kind.APPROVED)]), "approvals").found
    assert decide(policy, QUESTION, [said(Kind.APPROVED, by="ann@example.com")]).met


def test_who_wrote_the_commit_does_not_approve_it_where_that_is_the_rule() -> None:
    policy = Policy(approvals=1, author_may_approve=False)
    ann = said(Kind.APPROVED, by="ann@example.com")
    assert decide(Policy(approvals=1), QUESTION, [ann]).met
    assert "wrote the commit" in check(decide(policy, QUESTION, [ann]), "approvals").found
    shouted = replace(QUESTION, author="ANN@Example.com")
    assert not decide(policy, shouted, [ann]).met
    assert decide(policy, QUESTION, [said(Kind.APPROVED)]).met
    assert "does not say who wrote" in check(decide(policy, replace(QUESTION, author=None), [ann]), "approvals").found


def test_a_rejection_is_shown_and_stops_nothing() -> None:
    decision = decide(Policy(approvals=1), QUESTION, [said(Kind.APPROVED), said(Kind.REJECTED, by="ann@example.com")])
    assert decision.met
    assert "rejected by ann@example.com: because" in check(decision, "approvals").found


WINDOW = Window(("fri", "sat"), "16:00", "14:00")  # over midnight


def test_nothing_goes_in_a_frozen_window_but_by_an_administrators_word() -> None:
    policy = Policy(frozen=(WINDOW,))
    decision = decide(policy, QUESTION, [])
    assert not decision.met
    assert "until Sat 2026-01-31 14:00 UTC" in check(decision, "frozen").found
    overridden = decide(policy, QUESTION, [said(Kind.OVERRIDDEN)])
    assert overridden.met
    assert overridden.rests_on
    assert not decide(policy, QUESTION, [said(Kind.OVERRIDDEN, expires="2026-01-31T12:59:59.000Z")]).met
    assert not decide(policy, QUESTION, [said(Kind.OVERRIDDEN, why="a reviewer's key")]).met
    assert decide(policy, replace(QUESTION, now=NOW + timedelta(hours=2)), []).met


def test_a_time_zone_that_the_host_does_not_know_stops_everything() -> None:
    policy = Policy(frozen=(replace(WINDOW, zone="Europe/Atlantis"),))
    assert "does not know the time zone" in check(decide(policy, QUESTION, []), "frozen").found


def test_the_ledger_gets_what_it_rests_on() -> None:
    decision = decide(Policy(approvals=1), QUESTION, [said(Kind.APPROVED)])
    assert decision.evidence == [
        {"statement": said(Kind.APPROVED).signed.digest, "kind": "approved", "by": "ben@example.com"}
    ]
    assert Digest(decision.evidence[0]["statement"])
