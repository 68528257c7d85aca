"""What a host says of itself: made when it is true, signed with its own key, kept beside the release."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fairway.engine.contract.errors import Failed, Invalid, Refused
from fairway.engine.contract.names import Digest, Slot, Tag
from fairway.engine.contract.statement import Kind, Statement, parse_statement
from fairway.engine.contract.trust import Key, Keys, Policy, Role
from fairway.engine.deployment import Action, Deployment, Request
from fairway.engine.gate import signing
from fairway.engine.gate.checking import judge
from fairway.engine.gate.issued import say_recorded, statements_of
from fairway.engine.gate.store import read_keys, read_policy, write_trust
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.state import Occupant, State
from tests.unit.engine.gate.signers import AT, key

HOST = HostConfig("capakraken", "staging", "3000", "haproxy:3.0", False)
OLD, NEW = Tag("sha-" + "0d" * 20), Tag("sha-" + "4f" * 20)


def deployment(layout: Layout, action: Action = Action.DEPLOY, *, since: str = AT) -> Deployment:
    old = Occupant(Slot.BLUE, OLD, Digest.of(b"old"), "20260131-115900-000000", since, "ann")
    request = Request("20260131-120000-000000", action, NEW, Digest.of(b"new"), Slot.GREEN, "ann", State(old, None))
    for tag in (OLD, NEW):
        layout.release(tag).mkdir(parents=True, exist_ok=True)
    return Deployment(layout, HOST, request)


def said(layout: Layout, tag: Tag) -> list[Statement]:
    return [parse_statement(signed.statement) for signed in statements_of(layout, HOST, tag)]


def test_a_deployment_says_ready_and_deployed_and_how_long_the_one_before_served(layout: Layout) -> None:
    signing.make_evidence_key(layout)
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert say_recorded(deployment(layout, since=hour_ago)) == [Kind.DEPLOYED, Kind.READY]
    assert {statement.kind for statement in said(layout, NEW)} == {Kind.DEPLOYED, Kind.READY}
    (soaked,) = said(layout, OLD)
    assert (soaked.kind, soaked.release) == (Kind.SOAKED, Digest.of(b"old"))
    assert 3600 <= (soaked.soaked_s or 0) < 3660


@pytest.mark.parametrize("action", [Action.ROLLBACK, Action.RESTART, Action.RECONCILE])
def test_what_brings_nothing_new_proves_nothing_new(layout: Layout, action: Action) -> None:
    signing.make_evidence_key(layout)
    assert say_recorded(deployment(layout, action)) == [Kind.DEPLOYED]


def test_saying_it_twice_after_a_crash_is_saying_it_once(layout: Layout) -> None:
    signing.make_evidence_key(layout)
    say_recorded(deployment(layout))
    say_recorded(deployment(layout))
    assert len(said(layout, NEW)) == 2


def test_a_statement_that_cannot_be_read_any_more_hides_no_other(layout: Layout) -> None:
    signing.make_evidence_key(layout)
    say_recorded(deployment(layout))
    next((layout.release(NEW) / "evidence").glob("ready-*.json")).write_text('{"statement": ')
    assert [statement.kind for statement in said(layout, NEW)] == [Kind.DEPLOYED]


def test_a_host_without_a_key_says_nothing_and_still_deploys(layout: Layout) -> None:
    assert say_recorded(deployment(layout)) == []
    assert statements_of(layout, HOST, NEW) == []


def test_what_a_host_signs_is_believed_where_its_key_is_known(layout: Layout) -> None:
    public = signing.make_evidence_key(layout)
    say_recorded(deployment(layout))
    name = signing.key_name_of("staging", signing.host_name())
    known = Keys((Key(name, Role.HOST, public, AT, environment="staging"),))
    now = datetime.now(UTC)
    assert [one.why for one in judge(known, statements_of(layout, HOST, NEW), now)] == ["", ""]


def test_the_key_is_made_once_and_is_its_owners_alone(layout: Layout) -> None:
    first = signing.make_evidence_key(layout)
    assert signing.make_evidence_key(layout) == first
    assert layout.evidence_key.stat().st_mode & 0o777 == 0o600
    assert signing.renew_evidence_key(layout) != first
    assert sorted(path.name for path in layout.root.glob("*evidence*")) == ["evidence_key"]


def test_a_key_that_cannot_be_read_names_the_command_that_helps(layout: Layout) -> None:
    layout.evidence_key.write_text("not a key")
    layout.evidence_key.chmod(0o600)
    with pytest.raises(Failed) as failed:
        signing.public_key(layout)
    assert "fairway keys rotate" in failed.value.hint


def test_policy_and_keys_come_back_as_they_were_written(layout: Layout) -> None:
    assert (read_policy(layout), read_keys(layout)) == (Policy(), Keys())
    policy, keys = Policy(approvals=2, approvers=("ann@example.com",)), Keys((key("ann@example.com", Role.REVIEWER),))
    assert write_trust(layout, policy=policy, keys=keys) == ["policy.json", "keys.json"]
    assert (read_policy(layout), read_keys(layout)) == (policy, keys)
    assert write_trust(layout, policy=policy) == []


@pytest.mark.parametrize("content", [b"", b"{}", b'{"approvals": 0}', b"[]", b'{"requires": [], "requires": []}'])
def test_a_policy_that_cannot_be_read_is_no_policy_that_asks_for_nothing(layout: Layout, content: bytes) -> None:
    layout.trust.mkdir()
    layout.policy.write_bytes(content)
    with pytest.raises(Invalid, match="cannot be read"):
        read_policy(layout)


def test_who_may_not_write_the_trust_is_refused_in_words(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("fairway.engine.gate.store.write_atomically", refuse)
    with pytest.raises(Refused, match="only an administrator"):
        write_trust(layout, policy=Policy(approvals=1))


def test_an_approval_is_spent_by_a_success_that_rested_on_it_alone(layout: Layout) -> None:
    ledger = Ledger(layout.ledger)
    used, tried = Digest.of(b"used"), Digest.of(b"tried")
    ledger.append(action="deploy", outcome="failed", evidence=[{"statement": tried, "kind": "approved", "by": "ann"}])
    ledger.append(action="deploy", outcome="succeeded", evidence=[{"statement": used, "kind": "approved", "by": "ann"}])
    ledger.append(action="deploy", outcome="succeeded", error={"what": f"something about {tried}"})
    assert ledger.has_used(used)
    assert not ledger.has_used(tried)
