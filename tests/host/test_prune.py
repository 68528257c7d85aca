"""A host that has taken many releases: what is old goes, what could be needed stays."""

from __future__ import annotations

import json
from typing import Any

from testbed.host import Host
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, start_on, status


def _next(work: Workspace, number: int) -> str:
    """Release a commit that differs in one word; return its tag."""
    # The project's name keeps the layers apart from those that another test has left on the host.
    titles = [f"<h1>{work.project} {n}</h1>" if n else "<h1>CapaKraken</h1>" for n in (number - 1, number)]
    work.edit("capakraken/templates/base.html", *titles)
    work.commit(f"Call it {number}")
    return release(work)


def _manifest(host: Host, work: Workspace, tag: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(host.get(f"{work.deploy_path}/.fairway/releases/{tag}/release.json"))
    return document


def _references(manifest: dict[str, Any]) -> set[str]:
    return {f"{image['repository']}@{image['digest']}" for image in manifest["images"].values()}


def _images(host: Host) -> set[str]:
    return set(host.docker("image", "ls", "--digests", "--format", "{{.Repository}}@{{.Digest}}").split())


def _plan(work: Workspace) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(work.fairway("prune", "staging", "--plan", "--json").stdout)
    return document


def _kept(host: Host, work: Workspace) -> set[str]:
    return set(host.sh(f"ls {work.deploy_path}/.fairway/releases").split())


def test_old_releases_go_by_themselves_and_what_is_somebody_s_stays(workspace: Workspace) -> None:
    work = workspace
    work.configure(environments={"staging": {"retention": {"releases": 2, "deployments": 3}}}, warm={"keep_s": 0})
    work.commit("Keep two releases")
    tags = [start_on(work, "staging")]
    host = work.host("staging")
    manifests = {tags[0]: _manifest(host, work, tags[0])}
    # Somebody else's: an image and a container of their own, and a name of theirs for an image of ours.
    host.sh(f"docker tag redis:8 somebody/{work.project}:1; docker create --name {work.project}-foreign redis:8")
    try:
        for number in (1, 2, 3):
            tags.append(_next(work, number))
            work.fairway("deploy", "staging", tags[-1])
            manifests[tags[-1]] = _manifest(host, work, tags[-1])
            if number == 1:
                (app, *_) = sorted(_references(manifests[tags[1]]))
                host.docker("run", "--detach", "--name", f"{work.project}-uses", "--entrypoint=sleep", app, "infinity")
        wait_for("the first release to go", lambda: _kept(host, work) == set(tags[1:]))
        kept = {reference for tag in tags[1:] for reference in _references(manifests[tag])}
        gone = _references(manifests[tags[0]]) - kept
        assert gone
        assert not gone & _images(host)
        assert _references(manifests[tags[2]]) <= _images(host)

        wait_for("the rest to go", lambda: _plan(work)["goes"] == [])
        planned = _plan(work)
        reasons = {item["name"]: item["why"] for item in planned["stays"]}
        assert reasons[tags[1]] == f"the container {work.project}-uses uses it"
        assert reasons[tags[2]] == "it served before"
        assert reasons[tags[3]] == "it serves"

        host.docker("rm", "--force", f"{work.project}-uses")
        free = int(host.sh("df --output=avail --block-size=1 /var/lib/docker | tail -n 1"))
        pruned = json.loads(work.fairway("prune", "staging", "--json").stdout)
        freed = int(host.sh("df --output=avail --block-size=1 /var/lib/docker | tail -n 1")) - free
        assert pruned["removed"]["releases"] == [tags[1]]
        assert pruned["freed_bytes"] > 100_000
        print("said", pruned["freed_bytes"], "measured", freed)
        assert work.fairway("prune", "staging").stdout == "nothing to remove\n"
        assert host.sh(f"docker image inspect --format x somebody/{work.project}:1") == "x"
        assert (
            host.docker("container", "inspect", "--format", "{{.State.Status}}", f"{work.project}-foreign") == "created"
        )

        assert [e["action"] for e in history(work, "staging")] == ["deploy"] * 4
        record = json.loads(work.fairway("history", "staging", "--json").stdout)
        assert {e["by"] for e in record if e["action"] == "prune"} > {"fairway"}
        assert tags[3][:11] in work.fairway("history", "staging").stdout

        work.fairway("rollback", "staging", tags[2])
        assert serving(work, "staging") == tags[2]
        refused = work.fairway("rollback", "staging", tags[0], check=False)
        assert refused.returncode == 3
        assert f"does not have the release {tags[0][:11]}" in refused.stderr
        assert f"fairway deploy staging {tags[0][:11]}" in refused.stderr
        work.fairway("deploy", "staging", tags[0])
        assert serving(work, "staging") == tags[0]
        assert status(work, "staging")["drift"] == []
    finally:
        host.sh(f"docker rm --force {work.project}-foreign {work.project}-uses; docker rmi somebody/{work.project}:1")
