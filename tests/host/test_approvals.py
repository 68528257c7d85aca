"""Approvals as an operator meets them: the host says what is missing, people sign, the host decides and remembers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairway.engine.contract.trust import Policy, Requirement, Role
from testbed import changes
from testbed.bed import Testbed
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, status
from tests.host.trusting import Person, evidence_key, trust

# The example's own images come by tag (examples/capakraken/fairway.toml).
ALLOWED = ("undigested-image:postgres", "undigested-image:redis")
POLICY = Policy(requires=(Requirement("staging"),), approvals=1, allow=ALLOWED)


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A reviewer."""
    return Person(tmp_path_factory.mktemp("ann"), "ann@example.com")


@pytest.fixture(scope="module")
def work(bed: Testbed, ann: Person) -> Iterator[Workspace]:
    """A project whose production wants one approval; its first release serves on both, approved by Ann."""
    made = Workspace(bed, project="t-approvals", port=19_970)
    for environment in ("staging", "production"):
        made.prepare_host(environment)
        made.fairway("bootstrap", environment)
    staging = evidence_key(made, "staging")
    evidence_key(made, "production")
    trust(made, "production", POLICY, staging, ann.believed_as(Role.REVIEWER))
    first = release(made)
    made.fairway("deploy", "staging", first)
    approve(made, first, ann)
    made.fairway("promote", first)
    yield made
    made.remove()


def approve(work: Workspace, tag: str, person: Person, *more: str) -> dict[str, Any]:
    """Have somebody approve a release for production; return what was said."""
    done = work.fairway("approve", tag, "--key", str(person.key), "--yes", "--json", *more)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def gate(work: Workspace, tag: str) -> tuple[int, dict[str, Any]]:
    """Ask production's gate; return the exit code and the answer."""
    done = work.fairway("gate", "production", tag, "--json", check=False)
    return done.returncode, json.loads(done.stdout)


def check(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one line of the checklist."""
    return next(found for found in answer["checks"] if found["name"] == name)


def stage(work: Workspace, title: str) -> str:
    """Release a change and have staging run it; return its tag."""
    changes.retitle(work, title)
    tag = release(work)
    work.fairway("deploy", "staging", tag)
    work.git("checkout", "--quiet", "HEAD~1", "--", ".")
    work.commit("Back to the title before")
    return tag


def test_an_approved_release_goes_to_production_once(work: Workspace, ann: Person) -> None:
    first = serving(work, "production")
    second = stage(work, "Second")
    code, answer = gate(work, second)
    assert (code, answer["met"], answer["replaces_tag"]) == (3, False, first)
    assert check(answer, "ready on staging")["met"]
    assert check(answer, "approvals")["found"] == "0 of 1"
    shown = work.fairway("gate", "production", second, check=False).stdout
    assert "✓ ready on staging" in shown
    assert f"next: fairway approve {second[:11]} --environment production" in shown

    refused = work.fairway("promote", second, check=False)
    assert refused.returncode == 3, refused.stderr
    assert "approvals: 0 of 1" in refused.stderr
    last = history(work, "production")[-1]
    assert (last["tag"], last["outcome"], last["error"]["exit_code"]) == (second, "failed", 3)
    assert serving(work, "production") == first

    said = approve(work, second, ann, "--reason", "looks right", "--expires", "2h")
    assert (said["kind"], said["who"], said["valid"]) == ("approved", "ann@example.com", True)
    assert said["reason"] == "looks right (given with --yes, without being asked)"
    assert said["gate"]["met"]
    assert [commit["subject"] for commit in said["review"]["commits"]["come"]] == ["Call it Second"]
    assert gate(work, second)[0] == 0

    work.fairway("promote", second)
    assert serving(work, "production") == second
    entry = history(work, "production")[-1]
    rests_on = {(one["kind"], one["by"]) for one in entry["evidence"]}
    assert ("approved", "ann@example.com") in rests_on
    assert said["digest"] in {one["statement"] for one in entry["evidence"]}
    assert "approved by ann@example.com" in work.fairway("history", "production").stdout

    work.fairway("rollback", "production")
    spent = work.fairway("promote", second, check=False)
    assert spent.returncode == 3
    assert "spent: a deployment has used it" in spent.stderr
    assert serving(work, "production") == first


def test_everything_that_was_said_is_archived_and_shown_with_whose_word_it_is(work: Workspace, ann: Person) -> None:
    tag = stage(work, "Shown")
    rejected = work.fairway("reject", tag, "--reason", "not on a Friday", "--key", str(ann.key))
    assert "rejected: " in rejected.stdout
    assert "rejected by ann@example.com: not on a Friday" in check(gate(work, tag)[1], "approvals")["found"]
    approve(work, tag, ann)
    work.fairway("promote", tag)

    document = json.loads(work.fairway("evidence", tag, "--json").stdout)
    assert (document["judged_by"], document["problems"]) == ("production", [])
    found = {(one["kind"], one["environment"]): one for one in document["statements"]}
    assert found["approved", "production"]["who"] == "ann@example.com"
    assert found["rejected", "production"]["says"] == "not on a Friday"
    assert found["ready", "staging"]["valid"]
    assert found["soaked", "staging"]["valid"]
    # Production was not given its own key, so it does not believe itself; others would.
    assert "does not know" in found["deployed", "production"]["why"]

    shown = work.fairway("evidence", tag, "--collect").stdout
    assert "ann@example.com" in shown
    again = json.loads(work.fairway("evidence", tag, "--json").stdout)["statements"]
    assert ("soaked", "production") in {(one["kind"], one["environment"]) for one in again}


def test_what_is_archived_is_enough_when_staging_cannot_be_reached(work: Workspace, ann: Person) -> None:
    tag = stage(work, "Alone")
    away = {"STAGING_SSH_PORT": "1"}
    work.fairway("evidence", tag, "--collect")
    answer = work.fairway("gate", "production", tag, check=False, env=away)
    assert answer.returncode == 3
    assert "cannot be reached" in answer.stderr
    assert "✓ ready on staging" in answer.stdout
    approve(work, tag, ann)
    work.fairway("promote", tag, env=away)
    assert serving(work, "production") == tag


def test_an_approval_nobody_would_believe_is_not_archived(work: Workspace, tmp_path: Path) -> None:
    tag = stage(work, "Unknown")
    mallory = Person(tmp_path, "mallory@example.com")
    done = work.fairway("approve", tag, "--key", str(mallory.key), "--yes", check=False)
    assert done.returncode == 3
    assert "signed with a key that this host does not know" in done.stderr
    assert "fairway keys add production" in done.stderr
    assert check(gate(work, tag)[1], "approvals")["found"] == "0 of 1"
    kinds = {one["kind"] for one in json.loads(work.fairway("evidence", tag, "--json").stdout)["statements"]}
    assert "approved" not in kinds


def test_without_a_terminal_nothing_is_approved_unless_it_says_so(work: Workspace, ann: Person) -> None:
    tag = stage(work, "Unasked")
    done = work.fairway("approve", tag, "--key", str(ann.key), check=False)
    assert done.returncode == 2
    assert "no terminal to ask on" in done.stderr
    assert "Deploy files: the same" in done.stdout
    assert gate(work, tag)[0] == 3


def test_a_locked_environment_changes_nothing_until_it_is_unlocked(work: Workspace) -> None:
    before = serving(work, "production")
    done = work.fairway("lock", "production", "--reason", "tax season")
    assert "production is locked by " in done.stdout
    assert work.fairway("lock", "production", "--reason", "me too", check=False).returncode == 4
    for command in (["rollback", "production"], ["restart", "production"], ["promote", before]):
        refused = work.fairway(*command, check=False)
        assert refused.returncode == 4, refused.stderr
        assert "tax season" in refused.stderr
    assert status(work, "production")["locked"]["reason"] == "tax season"
    shown = work.fairway("status", check=False).stdout
    assert "production (locked)" in shown
    assert "tax season" in shown
    assert "tax season" in " ".join(gate(work, before)[1]["notes"])
    host = work.host("production")
    assert "locked: by" in host.sh(f"cd {work.deploy_path} && ./fairway status", user="deploy")

    assert "tax season" in work.fairway("unlock", "production").stdout
    assert "was not locked" in work.fairway("unlock", "production").stdout
    work.fairway("restart", "production")
    assert serving(work, "production") == before
    rows = work.fairway("history", "production").stdout
    assert "tax season" in rows


def test_the_host_s_own_commands_lock_and_unlock(work: Workspace) -> None:
    host = work.host("production")
    command = f"cd {work.deploy_path} && ./fairway"
    assert "locked: the disk is swapped" in host.sh(f'{command} lock --reason "the disk is swapped"', user="deploy")
    assert "(on the host)" in status(work, "production")["locked"]["by"]
    refused = host.run(f"{command} restart", user="deploy", check=False)
    assert refused.returncode == 4
    assert "the disk is swapped" in refused.stderr
    assert "it was locked by" in host.sh(f"{command} unlock", user="deploy")
    assert status(work, "production")["locked"] is None
