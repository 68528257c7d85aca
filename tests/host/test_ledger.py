"""The record of a host: read whole, checked on both sides, and taken away for keeping."""

from __future__ import annotations

import json

from testbed import changes
from testbed.workspace import Workspace
from tests.host.asking import release, start_on


def test_a_record_is_checked_on_the_host_and_here_and_an_altered_one_shows(workspace: Workspace) -> None:
    work = workspace
    start_on(work, "staging")
    changes.retitle(work, "Second")
    work.fairway("deploy", "staging", release(work))
    verified = json.loads(work.fairway("history", "staging", "--verify", "--json").stdout)
    assert verified["problems"] == []
    assert verified["host"]["head"] == verified["here"]["head"] == verified["head"]
    known = verified["head"]

    work.fairway("rollback", "staging")
    said = work.fairway("history", "staging", "--verify", "--known", known).stdout
    assert "the record holds together: 3 entries" in said
    exported = work.fairway("history", "staging", "--export").stdout.splitlines()
    host, ledger = work.host("staging"), f"{work.deploy_path}/.fairway/ledger.jsonl"
    assert [json.loads(line) for line in exported] == [json.loads(line) for line in host.get(ledger).splitlines()]
    assert len(json.loads(work.fairway("history", "staging", "--all", "--json").stdout)) == 3
    assert work.fairway("history", "staging", "--all", "--limit", "2", check=False).returncode == 2

    good = host.get(ledger)
    host.put(ledger, good.replace('"action": "deploy"', '"action": "praise"', 1), mode=0o600, owner="deploy")
    broken = work.fairway("history", "staging", "--verify", check=False)
    assert broken.returncode == 1
    assert "DOES NOT HOLD TOGETHER" in broken.stdout
    assert "line 1: its content is not what its hash says" in broken.stderr
    export = work.fairway("history", "staging", "--export", check=False)
    assert (export.returncode, len(export.stdout.splitlines())) == (1, 3)

    host.put(ledger, "".join(f"{line}\n" for line in good.splitlines()[:1]), mode=0o600, owner="deploy")
    short = work.fairway("history", "staging", "--verify", "--known", known, check=False)
    assert short.returncode == 1
    assert "written anew or cut short" in short.stderr
