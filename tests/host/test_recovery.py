"""A host that comes back: what was interrupted is ended and what is recorded runs, without anybody's command."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from testbed import changes, images
from testbed.bed import Testbed
from testbed.host import Host
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.host.asking import history, release, serving, slots_running, start_on, status, wait_for_step


@pytest.fixture
def spare(bed: Testbed) -> Iterator[Host]:
    """A host of the test's own, to be switched off and on."""
    host = bed.add_host(f"spare-{secrets.token_hex(3)}")
    yield host
    bed.remove_host(host.name)


def _recover(work: Workspace, host: Host, *, check: bool = True) -> str:
    """Run what the unit runs, as an administrator would by hand; return what it says."""
    done = host.run(f"{work.deploy_path}/fairway recover 2>&1", check=check)
    return done.stdout


def test_a_reboot_in_the_middle_of_a_deployment_is_undone_and_everything_runs_again(
    spare: Host, make_workspace: Callable[..., Workspace]
) -> None:
    work = make_workspace(environments={"staging": spare.name})
    # With a policy of "no", Docker brings nothing back by itself.
    text = (work.path / "docker-compose.cicd.yml").read_text()
    work.write("docker-compose.cicd.yml", text.replace("    restart: always", '    restart: "no"'))
    work.commit("Start nothing again")
    first = start_on(work, "staging")
    said = work.fairway("bootstrap", "staging").stderr
    assert "this host does not run systemd: after a reboot the next Fairway command recovers" in said

    changes.never_ready(work)
    tag = release(work)
    client = work.start_fairway("deploy", "staging", tag)
    wait_for_step(work, "staging", "ready")
    spare.power_cut()
    client.communicate(timeout=60)
    assert slots_running(work, "staging") == []

    said = _recover(work, spare)
    assert f"undid the interrupted deploy of {tag[:11]}" in said
    assert f"started {work.project}-app-blue" in said
    assert f"{first[:11]} serves" in said
    assert serving(work, "staging") == first
    assert status(work, "staging")["drift"] == []
    assert [e["outcome"] for e in history(work, "staging")] == ["succeeded", "failed"]
    owners = spare.sh(f"find {work.deploy_path}/.fairway ! -user deploy")
    assert owners == ""

    ids = spare.docker("ps", "--quiet", "--no-trunc", "--filter", f"label=com.docker.compose.project={work.project}")
    again = _recover(work, spare)
    assert "started" not in again
    assert f"{first[:11]} serves" in again
    assert ids == spare.docker(
        "ps", "--quiet", "--no-trunc", "--filter", f"label=com.docker.compose.project={work.project}"
    )

    spare.docker("rm", "--force", f"{work.project}-app-blue", f"{work.project}-worker-1")
    assert "made blue anew" in _recover(work, spare)
    assert serving(work, "staging") == first
    assert status(work, "staging")["drift"] == []


@pytest.fixture
def systemd(bed: Testbed) -> Iterator[Host]:
    """A host of the test's own that boots with systemd."""
    host = bed.add_host(f"systemd-{secrets.token_hex(3)}", image=images.provide_systemd())
    yield host
    bed.remove_host(host.name)


def _wait_for_unit(host: Host, unit: str) -> None:
    """Wait until the unit has done its work since the boot."""

    def ended() -> bool:
        return host.sh(f"systemctl is-active {unit}", check=False) in ("active", "failed")

    wait_for(unit, ended, timeout_s=120)
    said = host.sh(f"systemctl status --no-pager --lines 50 {unit} 2>&1", check=False)
    assert host.sh(f"systemctl is-active {unit}", check=False) == "active", said


def test_a_host_with_systemd_recovers_without_any_command(
    systemd: Host, make_workspace: Callable[..., Workspace]
) -> None:
    work = make_workspace(environments={"staging": systemd.name})
    text = (work.path / "docker-compose.cicd.yml").read_text()
    work.write("docker-compose.cicd.yml", text.replace("    restart: always", '    restart: "no"'))
    work.commit("Start nothing again")
    first = start_on(work, "staging")
    unit = f"fairway-{work.project}-staging.service"
    said = work.fairway("bootstrap", "staging")
    command = f"sudo /usr/bin/python3 -I {work.deploy_path}/.fairway/engine/current install-unit"
    assert f"an administrator runs on it: {command}" in said.stderr
    assert f"{unit} is not installed" in said.stdout
    assert systemd.sh(command) == f"{unit} is enabled"
    assert f"{unit} is enabled" in work.fairway("doctor", "staging", check=False).stdout

    changes.never_ready(work)
    tag = release(work)
    client = work.start_fairway("deploy", "staging", tag)
    wait_for_step(work, "staging", "ready")
    systemd.power_cut()
    client.communicate(timeout=60)
    _wait_for_unit(systemd, unit)
    journal = systemd.sh(f"journalctl --unit {unit} --output cat --boot")
    assert f"undid the interrupted deploy of {tag[:11]}" in journal
    assert serving(work, "staging") == first
    assert status(work, "staging")["drift"] == []

    systemd.reboot()
    _wait_for_unit(systemd, unit)
    assert serving(work, "staging") == first
    assert status(work, "staging")["drift"] == []


def test_bootstrap_installs_the_unit_itself_where_it_may(
    systemd: Host, make_workspace: Callable[..., Workspace]
) -> None:
    work = make_workspace(environments={"staging": systemd.name})
    work.prepare_host("staging")
    command = f"/usr/bin/python3 -I {work.deploy_path}/.fairway/engine/current install-unit"
    systemd.put("/etc/sudoers.d/fairway", f"deploy ALL=(root) NOPASSWD: {command}\n", mode=0o440)
    done = work.fairway("bootstrap", "staging")
    unit = f"fairway-{work.project}-staging.service"
    assert f"{unit} is enabled" in done.stdout
    assert "administrator" not in done.stderr
    assert systemd.sh(f"systemctl is-enabled {unit}") == "enabled"
    assert systemd.sh(f"systemd-analyze verify {unit} 2>&1") == ""


def test_a_host_that_never_deployed_has_nothing_to_recover(workspace: Workspace) -> None:
    work = workspace
    work.prepare_host("staging")
    work.fairway("bootstrap", "staging")
    host = work.host("staging")
    assert _recover(work, host) == "nothing is recorded as serving\n"
    refused = host.run(f"{work.deploy_path}/fairway install-unit", user="deploy", check=False)
    assert refused.returncode == 3
    assert "does not run systemd" in refused.stderr
