"""What a policy asks for besides proof and approval, seen on real hosts: soak, authors, frozen windows, a lock."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fairway.engine.contract.trust import DAYS
from testbed.bed import Testbed
from testbed.host import Host
from testbed.workspace import Workspace
from tests.host.asking import release, status
from tests.unit.engine.gate.signers import private_key

AUTHOR, ADMIN = "testbed@example.com", "root@example.com"
ALWAYS = {"days": list(DAYS), "start": "00:00", "end": "24:00", "zone": "Europe/Berlin"}


def _gate(work: Workspace, tag: str) -> dict[str, dict[str, Any]]:
    document = json.loads(work.fairway("gate", "production", tag, "--json", check=False).stdout)
    return {check["name"].split()[0]: check for check in document["checks"]}


def _ask_for(work: Workspace, **policy: Any) -> None:
    work.configure(environments={"production": {"policy": policy}})
    work.fairway("bootstrap", "production")


@pytest.fixture
def spare(bed: Testbed) -> Iterator[Host]:
    """A host of the test's own, to be switched off and on."""
    host = bed.add_host(f"policy-{secrets.token_hex(3)}")
    yield host
    bed.remove_host(host.name)


def test_soak_author_and_frozen_window_are_the_hosts_to_decide_and_a_lock_outlives_a_reboot(
    spare: Host, make_workspace: Callable[..., Workspace]
) -> None:
    work = make_workspace(environments={"staging": spare.name, "production": "production"})
    for environment in ("staging", "production"):
        work.prepare_host(environment)
        work.fairway("bootstrap", environment)
    tag = release(work)
    work.fairway("deploy", "staging", tag)
    for name, role in ((AUTHOR, "reviewer"), (ADMIN, "admin")):
        work.fairway("keys", "add", "production", name, f"{private_key(name)}.pub", "--role", role)

    _ask_for(work, approvals=1, author_may_approve=True, soak_s=86_400, frozen=[ALWAYS])
    said = ("approve", tag, "--environment", "production", "--yes", "--key")
    work.fairway(*said, str(private_key(AUTHOR)))
    found = _gate(work, tag)
    assert (found["approvals"]["met"], found["soaked"]["met"], found["frozen"]["met"]) == (True, False, False)
    assert "of 24 h" in found["soaked"]["found"]
    work.fairway(*said, str(private_key(ADMIN)), "--override-freeze", "--reason", "the site is down")
    assert f"overridden by {ADMIN}: the site is down" in _gate(work, tag)["frozen"]["found"]

    _ask_for(work, approvals=1, author_may_approve=False, soak_s=1, frozen=[])
    found = _gate(work, tag)
    assert found["soaked"]["met"]
    assert not found["approvals"]["met"]
    assert "wrote the commit" in found["approvals"]["found"]
    assert work.fairway("promote", tag, check=False).returncode == 3

    work.fairway("lock", "staging", "--reason", "the auditors are here")
    spare.reboot()
    assert status(work, "staging")["locked"]["reason"] == "the auditors are here"
    assert work.fairway("restart", "staging", check=False).returncode == 4
