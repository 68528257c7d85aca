"""The commands as a person and a script meet them, with hosts that answer as they are told to."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairway.cli import app as cli
from fairway.config import Environment
from fairway.engine.contract.errors import Failed, OtherVersion, Unreachable
from fairway.engine.contract.names import Digest
from fairway.engine.contract.protocol import Operation
from fairway.engine.contract.statement import Kind, parse_statement
from fairway.evidence.decision import UNASKED
from fairway.registry import Archive
from tests.unit.engine.gate.signers import private_key
from tests.unit.evidence.hosts import Answer, StubHost
from tests.unit.evidence.releases import archived
from tests.unit.evidence.test_collect import said, saying
from tests.unit.registry.fake_registry import HOST, FakeRegistry

RELEASED, OLD = archived(), archived(commit="5e" * 20)
TAG = RELEASED.named.release.tag
SERVES = {"replaces": OLD.named.name, "replaces_tag": OLD.named.release.tag}
MISSING = {"name": "approvals", "met": False, "found": "0 of 1", "hint": "fairway approve"}
KNOWN: Answer = {"verdicts": [{"valid": True, "who": "ann@example.com", "role": "reviewer", "why": ""}]}
TOML = f"""
project = "capakraken"
[images]
app = "{HOST}/acme/app"
migrator = "{HOST}/acme/migrator"
release = "{HOST}/acme/release"
[environments.staging]
hosts = ["staging.example.com"]
deploy_path = "/opt/x"
port = 3000
[environments.production]
hosts = ["www.example.com"]
deploy_path = "/opt/x"
port = 3000
promote_from = "staging"
"""


def answer(met: bool = False, **changes: Any) -> Answer:
    checks = [{**MISSING, "met": met}]
    found = {"environment": "production", "met": met, "locked": None, "approvals": 1, "checks": checks}
    return {**found, **SERVES, **changes}


@dataclass
class World:
    """A registry, two hosts, and the command line in a repository."""

    registry: FakeRegistry = field(default_factory=FakeRegistry)
    hosts: dict[str, StubHost] = field(default_factory=dict)

    @property
    def archive(self) -> Archive:
        from fairway.engine.contract.names import Repository

        return Archive(self.registry.client(), Repository(f"{HOST}/acme/release"))

    def run(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
        """Run the command line; return its exit code."""
        monkeypatch.setattr(sys, "argv", ["fairway", *arguments])
        return cli.run()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    made.hosts["staging"] = StubHost(evidence=saying(said(Kind.READY, 1)))
    made.hosts["production"] = StubHost(gate=answer(), trust={"guarded": True}, judge=KNOWN)
    for released in (OLD, RELEASED):
        made.archive.put(released.manifest_bytes, released.bundle)

    def open_engine(environment: Environment) -> StubHost:
        return made.hosts[environment.name]

    (tmp_path / "fairway.toml").write_text(TOML)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fairway.cli.context.open_engine", open_engine)
    monkeypatch.setattr("fairway.cli.deployment.open_engine", open_engine)
    monkeypatch.setattr("fairway.registry.connect", lambda registry: made.registry.client())
    return made


Say = pytest.CaptureFixture[str]


@pytest.mark.parametrize("met, code", [(True, 0), (False, 3)])
def test_the_gate_ends_with_0_when_all_is_met_and_with_3_when_not(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say, met: bool, code: int
) -> None:
    world.hosts["production"] = StubHost(gate=answer(met), trust=OtherVersion("unknown"))
    assert world.run(monkeypatch, "gate", "production", TAG) == code
    said = capsys.readouterr().out
    assert f"{TAG.short} in place of {OLD.named.release.tag.short}" in said
    assert ("next: fairway approve" in said) is not met
    assert world.run(monkeypatch, "gate", "production", TAG, "--json") == code
    document = json.loads(capsys.readouterr().out)
    assert (document["met"], document["guarded"], document["release"]) == (met, None, RELEASED.named.name)


def test_the_gate_is_asked_with_what_staging_says_and_goes_on_without_it(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    world.run(monkeypatch, "gate", "production", TAG)
    operation, args = world.hosts["production"].asked[0]
    assert (operation, args["evidence"]) == (Operation.GATE, [said(Kind.READY, 1).as_json()])
    world.hosts["staging"] = StubHost(evidence=Unreachable("staging cannot be reached", hint="check it"))
    assert world.run(monkeypatch, "gate", "production", TAG) == 3
    assert "staging cannot be reached; check it" in capsys.readouterr().err


def test_an_approval_shows_the_difference_signs_and_is_archived(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    key = str(private_key("ann@example.com"))
    assert world.run(monkeypatch, "approve", TAG, "--key", key, "--yes", "--reason", "fine") == 0
    shown = capsys.readouterr().out
    assert f"Commits since {OLD.named.release.tag.short}" in shown
    assert "git fetch" in shown
    assert f"approved: {TAG.short} on production, in place of {OLD.named.name.short}, until " in shown
    (found,) = world.archive.statements.about(RELEASED.named.name).statements
    assert (found.statement.kind, found.statement.replaces) == (Kind.APPROVED, OLD.named.name)
    assert found.statement.reason == f"fine {UNASKED}"


def test_where_nobody_can_be_asked_nothing_is_signed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert world.run(monkeypatch, "approve", TAG, "--key", str(private_key("ann@example.com"))) == 2
    assert "--yes" in capsys.readouterr().err
    assert world.archive.statements.about(RELEASED.named.name).statements == ()


def test_a_no_on_the_terminal_signs_nothing(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    asked = []
    monkeypatch.setattr("fairway.cli.output.ask", lambda question: asked.append(question))
    assert world.run(monkeypatch, "approve", TAG, "--key", str(private_key("ann@example.com")), "--json") == 3
    assert asked == [f"Sign that you approve {TAG.short} on production for 24h?"]
    assert world.archive.statements.about(RELEASED.named.name).statements == ()
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["what"] == "nothing was signed"
    assert "Deploy files" in captured.err


def test_what_serves_already_may_be_approved_once_more_after_a_restore(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    # Its migrations are to be applied again, and an approval counts for one deployment.
    gate = answer(replaces=RELEASED.named.name, replaces_tag=TAG, restored=True)
    world.hosts["production"] = StubHost(gate=gate, trust={"guarded": True})
    monkeypatch.setattr("fairway.cli.output.ask", lambda question: None)
    assert world.run(monkeypatch, "approve", TAG, "--json") == 3
    assert json.loads(capsys.readouterr().out)["error"]["what"] == "nothing was signed"


def test_what_serves_already_needs_no_approval(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    world.hosts["production"] = StubHost(gate=answer(replaces=RELEASED.named.name), trust={"guarded": True})
    assert world.run(monkeypatch, "approve", TAG, "--yes") == 3
    assert "is what serves on production already" in capsys.readouterr().err


def test_an_override_is_signed_by_an_administrator_and_needs_a_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    arguments = ["approve", TAG, "--key", str(private_key("root@example.com")), "--yes", "--override-freeze"]
    assert world.run(monkeypatch, *arguments) == 2
    assert world.run(monkeypatch, *arguments, "--reason", "a leak", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["reason"]) == ("overridden", f"a leak {UNASKED}")


def test_a_registry_that_takes_no_approval_is_named(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    world.registry.before = lambda request: httpx.Response(403) if request.method == "POST" else None
    assert world.run(monkeypatch, "approve", TAG, "--key", str(private_key("ann@example.com")), "--yes") == 1
    told = capsys.readouterr().err
    assert "it was signed, but not archived" in told
    assert "docker login" in told


def test_evidence_is_shown_unjudged_when_the_judge_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    world.archive.statements.put(said(Kind.READY, 1))
    assert world.run(monkeypatch, "evidence", TAG) == 0
    assert "ann@example.com" in capsys.readouterr().out
    world.hosts["production"] = StubHost(judge=Unreachable("gone"))
    assert world.run(monkeypatch, "evidence", TAG) == 5
    captured = capsys.readouterr()
    assert "not judged" in captured.out
    assert "gone" in captured.err


def test_collecting_archives_what_every_host_says_and_tells_who_said_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    world.hosts["production"] = StubHost(evidence=Unreachable("production is gone"), judge=KNOWN)
    assert world.run(monkeypatch, "evidence", TAG, "--collect", "--json") == 5
    assert json.loads(capsys.readouterr().out)["problems"] == ["production is gone"]
    assert len(world.archive.statements.about(RELEASED.named.name).statements) == 1


def test_nothing_said_is_said(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    assert world.run(monkeypatch, "evidence", TAG) == 0
    assert f"nobody has said anything of {TAG.short} yet" in capsys.readouterr().out


DEPLOYED: Answer = {"outcome": "succeeded", "seconds": 1.0, "tag": TAG}


def test_what_a_deployment_makes_true_is_archived(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hosts["production"] = StubHost(deploy=DEPLOYED, evidence=saying(said(Kind.DEPLOYED, 5)))
    assert world.run(monkeypatch, "promote", TAG) == 0
    kinds = [one.statement.kind for one in world.archive.statements.about(RELEASED.named.name).statements]
    assert kinds == [Kind.READY, Kind.DEPLOYED]
    deployed = dict(world.hosts["production"].asked)[Operation.DEPLOY]
    assert deployed["evidence"] == [said(Kind.READY, 1).as_json()]


SETTINGS = {"state": "missing", "rule": "required", "needed": "required", "length": 0, "fingerprint": ""}
UNKNOWN = {**SETTINGS, "state": "present", "rule": "not declared", "needed": ""}


def test_a_setting_that_only_staging_has_stops_a_promotion_before_it_is_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    world.hosts["staging"] = StubHost(
        evidence=saying(said(Kind.READY, 1)), env={"keys": [{"key": "SMTP_PASSWORD", **SETTINGS, "state": "present"}]}
    )
    world.hosts["production"] = StubHost(env={"keys": [{"key": "SMTP_PASSWORD", **SETTINGS}]})
    assert world.run(monkeypatch, "promote", TAG) == 3
    assert "production lacks SMTP_PASSWORD, which staging has" in capsys.readouterr().err
    assert [operation for operation, _ in world.hosts["production"].asked] == [Operation.ENV]


def test_a_setting_that_nobody_declared_is_told_and_stops_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    world.hosts["staging"] = StubHost(
        evidence=saying(said(Kind.READY, 1)), env={"keys": [{"key": "NEW_FLAG", **UNKNOWN}]}
    )
    world.hosts["production"] = StubHost(deploy=DEPLOYED, evidence=saying(said(Kind.DEPLOYED, 5)))
    assert world.run(monkeypatch, "promote", TAG) == 0
    assert "only staging has NEW_FLAG" in capsys.readouterr().err


@pytest.mark.parametrize("no_key", [True, False])
def test_what_cannot_be_archived_is_a_warning_and_no_failure(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say, no_key: bool
) -> None:
    if not no_key:
        world.registry.before = lambda request: httpx.Response(401) if request.method == "POST" else None
    evidence = Failed("this host has no evidence key") if no_key else saying(said(Kind.DEPLOYED, 5))
    world.hosts["production"] = StubHost(deploy=DEPLOYED, evidence=evidence)
    assert world.run(monkeypatch, "promote", TAG) == 0
    captured = capsys.readouterr()
    assert "serving" in captured.out
    assert "warning: what the host has signed is not archived" in captured.err
    assert f"Later: fairway evidence {TAG.short} --collect" in captured.err
    assert ("no evidence key" if no_key else "docker login") in captured.err


def test_a_promotion_of_which_nobody_said_anything_ends_with_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    world.hosts["staging"] = StubHost(evidence=Unreachable("staging is gone"))
    world.hosts["production"] = StubHost()
    assert world.run(monkeypatch, "promote", TAG) == 5
    assert "staging is gone" in capsys.readouterr().err
    assert world.hosts["production"].asked == []


def test_an_engine_that_knows_nothing_of_evidence_is_not_given_any(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.hosts["staging"] = StubHost(deploy=DEPLOYED, evidence=OtherVersion("unknown operation"))
    assert world.run(monkeypatch, "deploy", "staging", TAG) == 0
    assert "evidence" not in world.hosts["staging"].asked[0][1]


def test_a_direct_deployment_to_what_is_promoted_to_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert world.run(monkeypatch, "deploy", "production", TAG) == 3
    assert "fairway promote" in capsys.readouterr().err


def test_a_rejection_is_signed_and_archived(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    key = str(private_key("ann@example.com"))
    assert world.run(monkeypatch, "reject", TAG, "--key", key, "--reason", "drops a column") == 0
    assert "rejected: " in capsys.readouterr().out
    (found,) = world.archive.statements.about(RELEASED.named.name).statements
    assert parse_statement(found.signed.statement).reason == "drops a column"
    assert world.run(monkeypatch, "reject", TAG, "--key", key, "--reason", "two\nlines") == 2


def test_a_lock_is_by_name_with_a_reason(world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    held = {"by": "ann@laptop", "reason": "audit", "since": "2026-01-31T12:00:00.000Z"}
    world.hosts["production"] = StubHost(lock={"locked": held}, unlock={"was_locked": held})
    assert world.run(monkeypatch, "lock", "production", "--reason", "audit") == 0
    assert world.run(monkeypatch, "unlock", "production") == 0
    assert capsys.readouterr().out.splitlines() == [
        "production is locked by ann@laptop: audit",
        "production is unlocked; it was locked by ann@laptop: audit",
    ]
    (lock, args), _ = world.hosts["production"].asked
    assert (lock, args["reason"], bool(args["by"])) == (Operation.LOCK, "audit", True)
    assert world.run(monkeypatch, "lock", "production", "--reason", "") == 2


def test_another_release_under_the_tag_is_not_what_staging_proved(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    world.hosts["staging"] = StubHost(evidence=saying(said(Kind.READY, 1, about=Digest.of(b"other"))))
    world.run(monkeypatch, "gate", "production", TAG)
    assert world.hosts["production"].asked[0][1]["evidence"] == []
    assert "other bytes under the same tag" in capsys.readouterr().err
