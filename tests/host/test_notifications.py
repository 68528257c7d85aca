"""A host tells by itself, through apprise, to a receiver on this machine: once, with the reason, without a secret."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator

import pytest

from fairway.engine.contract.trust import Policy
from testbed import changes
from testbed.bed import Testbed
from testbed.leaks import Sampler, Searcher
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, status
from tests.host.receiving import Receiver
from tests.host.trusting import trust

EVENTS = ["deployed", "failed", "approval-wanted", "locked", "unlocked", "down"]
# The example's own images come by tag (examples/capakraken/fairway.toml).
ALLOWED = ("undigested-image:postgres", "undigested-image:redis")


@pytest.fixture(scope="module")
def receiver(bed: Testbed) -> Iterator[Receiver]:
    made = Receiver(bed.host("staging").address)
    yield made
    made.go_away()


@pytest.fixture(scope="module")
def secret() -> str:
    return f"canary {secrets.token_hex(12)}/+="


@pytest.fixture(scope="module")
def work(bed: Testbed, receiver: Receiver, secret: str) -> Iterator[Workspace]:
    """A project that serves on staging, whose host tells the receiver."""
    made = Workspace(bed, project="t-notify", port=19_971)
    made.configure(notifications=[{"url_key": "OPS_URL", "events": EVENTS}])
    made.commit("Tell the operators")
    made.prepare_host("staging", {"OPS_URL": receiver.url, "NEXTAUTH_SECRET": secret})
    made.fairway("bootstrap", "staging")
    made.fairway("deploy", "staging", release(made))
    yield made
    made.remove()


def lock_and_unlock(work: Workspace) -> None:
    """Have two things on the record that change nothing."""
    work.fairway("lock", "staging", "--reason", "@everyone wait")
    work.fairway("unlock", "staging")


def back(work: Workspace) -> None:
    """Take the last change to the sources back."""
    work.git("checkout", "--quiet", "HEAD~1", "--", ".")
    work.commit("Back to what is good")


def test_a_deployment_is_told_once_and_the_test_message_says_what_apprise_answered(
    work: Workspace, receiver: Receiver
) -> None:
    receiver.await_titles(f"{work.tag[:11]} serves")
    document = json.loads(work.fairway("notify", "test", "staging", "--json").stdout)
    assert [(row["to"], row["sent"]) for row in document["results"]] == [("OPS_URL", True)]
    receiver.await_titles("a test of notifications")
    lock_and_unlock(work)
    wait_for("both messages", lambda: len(receiver.got) == 2)
    (locked, unlocked), receiver.got = receiver.got, []
    assert [locked["type"], unlocked["type"]] == ["info", "info"]
    # Shown as it was meant, and nobody is called by it.
    assert "@everyone" not in locked["message"]
    assert "everyone wait" in locked["message"]
    shown = work.fairway("notify", "list", "staging").stdout
    assert receiver.token not in shown
    assert f"t-notify staging: {work.tag[:11]} serves" in shown
    assert "1 receivers: OPS_URL" in work.fairway("doctor", "staging", check=False).stdout


def test_a_release_that_fails_is_told_with_the_reason_and_without_a_secret(
    work: Workspace, receiver: Receiver, secret: str
) -> None:
    serves, host = serving(work, "staging"), work.host("staging")
    changes.tells_its_environment(work)
    bad = release(work)
    with Sampler(host) as sampler:
        assert work.fairway("deploy", "staging", bad, check=False).returncode == 1
        wait_for("the message", lambda: bool(receiver.got))
    back(work)
    (told,), receiver.got = receiver.got, []
    assert told["title"] == f"t-notify staging: the deployment of {bad[:11]} failed"
    assert told["type"] == "failure"
    assert "it exited with code 1" in told["message"]
    assert "NEXTAUTH_SECRET=[redacted]" in told["message"]
    assert f"What served before serves: {serves[:11]}" in told["message"]
    assert "Next: " in told["message"]

    searched = Searcher({"secret": secret, "token": receiver.token, "address": receiver.url})
    assert searched.names_in(json.dumps(told)) == set()
    for process in sampler.processes():
        assert searched.names_in(process.arguments) == set()
        if b"apprise" in process.arguments or b"\0tell\0" in process.arguments:
            assert searched.names_in(process.environment) == set()
    archive = host.sh(f"cd {work.deploy_path}/.fairway && tar -c --exclude=./engine . | base64")
    assert searched.names_in(base64.b64decode(archive)) == set()
    modes = host.sh(f"find {work.deploy_path}/.fairway/notifications -type f -perm /077")
    assert modes == ""


def test_a_receiver_that_was_away_is_told_later_and_once(work: Workspace, receiver: Receiver) -> None:
    receiver.go_away()
    work.fairway("lock", "staging", "--reason", "nobody listens")

    def warned() -> bool:
        return bool(status(work, "staging")["notifications"]["warnings"])

    wait_for("a warning in the status", warned)
    assert "notifications: 1 for OPS_URL could not be delivered since" in work.fairway("status", "staging").stdout
    doctor = work.fairway("doctor", "staging", check=False)
    assert (doctor.returncode, "could not be delivered" in doctor.stdout) == (1, True)
    refused = work.fairway("notify", "test", "staging", check=False)
    assert (refused.returncode, receiver.token in refused.stderr) == (1, False)
    assert "OPS_URL: not sent: apprise could not send to OPS_URL" in refused.stderr
    receiver.come_back()
    # Nobody does anything meanwhile: the host tries again by itself.
    wait_for("the message", lambda: bool(receiver.got), timeout_s=60)
    work.fairway("unlock", "staging")
    wait_for("the next one", lambda: len(receiver.got) == 2, timeout_s=60)
    assert [one.split(" by ")[0] for one in receiver.titles] == ["locked", "unlocked"]
    receiver.got = []
    assert status(work, "staging")["notifications"]["warnings"] == []


def test_an_approval_is_asked_for_once(work: Workspace, receiver: Receiver) -> None:
    trust(work, "staging", Policy(approvals=1, allow=ALLOWED))
    changes.retitle(work, "Wanted")
    wanted = release(work)
    for _ in range(2):
        assert work.fairway("deploy", "staging", wanted, check=False).returncode == 3
    assert [entry["missing"] for entry in history(work, "staging")[-2:]] == [["approvals"]] * 2
    wait_for("the message", lambda: bool(receiver.got))
    (told,), receiver.got = receiver.got, []
    assert told["title"] == f"t-notify staging: {wanted[:11]} waits for approval"
    assert f"Next: fairway approve {wanted[:11]} --environment staging" in told["message"]
    # What the watcher writes is told by the same teller, after which nothing else has come.
    host, fairway = work.host("staging"), f"{work.deploy_path}/.fairway"
    change = {"id": "000001", "at": "2026-01-31T12:00:00.000Z", "kind": "down", "environment": "staging"}
    line = json.dumps({**change, "subject": "http://shop.example.com", "words": "it answers 502", "seconds": 7200})
    host.sh(f"install -d -m 700 -o deploy -g deploy {fairway}/watch")
    host.put(f"{fairway}/watch/changes.jsonl", line + "\n", mode=0o600, owner="deploy")
    host.sh(f"python3 -I {fairway}/engine/current tell --once", user="deploy")
    receiver.await_titles("down: http://shop.example.com")


def test_tellers_that_are_killed_and_started_at_once_tell_everything_once(work: Workspace, receiver: Receiver) -> None:
    host = work.host("staging")
    engine = f"python3 -I {work.deploy_path}/.fairway/engine/current"
    receiver.go_away()
    lock_and_unlock(work)
    wait_for(
        "both to wait", lambda: status(work, "staging")["notifications"]["waiting"] == 2, timeout_s=60, interval_s=0.5
    )
    # The one that stays to try again is killed; then many come at the same time.
    host.sh("pkill -KILL -f 'fairway/engine/[^ ]* [t]ell'")
    receiver.come_back()
    work.fairway("notify", "test", "staging")
    host.sh("for n in 1 2 3 4 5; do " + engine + " tell --once & done; wait", user="deploy")
    wait_for("all of it", lambda: len(receiver.got) >= 3)
    host.sh(f"{engine} tell --once", user="deploy")
    assert sorted(one.split(" by ")[0] for one in receiver.titles) == ["a test of notifications", "locked", "unlocked"]
