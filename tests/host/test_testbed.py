"""The bed is what it claims to be: otherwise the other host tests would prove nothing."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.bed import Testbed
from testbed.host import Host


def test_ssh_reaches_a_host_as_the_user_who_deploys(bed: Testbed) -> None:
    assert bed.host("staging").ssh("whoami").stdout == "deploy\n"


def test_ssh_refuses_a_host_with_another_key(bed: Testbed, tmp_path: Path) -> None:
    other = (bed.state / "known_hosts").read_text(encoding="ascii").splitlines()
    staging, production = (line.split(" ", 1) for line in other[:2])
    swapped = tmp_path / "known_hosts"
    swapped.write_text(f"{staging[0]} {production[1]}\n{production[0]} {staging[1]}\n", encoding="ascii")
    answer = subprocess.run(
        ["ssh", "-F", bed.ssh_config, "-o", f"UserKnownHostsFile={swapped}", "staging", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in answer.stderr


def test_a_plain_image_name_on_a_host_comes_from_the_mirror(bed: Testbed) -> None:
    said = bed.host("production").docker("run", "--rm", "redis:8", "redis-server", "--version")
    assert said.startswith("Redis server v=8.")


def test_the_registry_wants_a_login(bed: Testbed) -> None:
    assert bed.registry.status(login=False) == 401
    assert bed.registry.status() == 200


def test_a_host_pulls_from_the_registry_only_with_the_login(bed: Testbed) -> None:
    host, registry = bed.host("staging"), bed.registry
    image = f"{registry.address}/testbed/redis:1"
    for command in (["tag", "fairway-dev/redis:8", image], ["push", image], ["rmi", image]):
        subprocess.run(["docker", *command], env=bed.environment, check=True, capture_output=True)
    assert "no basic auth credentials" in host.sh(f"docker pull {image} 2>&1", check=False)
    login = f"docker login --username {registry.username} --password-stdin {registry.address}"
    host.run(
        f"export DOCKER_CONFIG=$(mktemp -d); {login} && docker pull --quiet {image}; code=$?;"
        f" rm -rf $DOCKER_CONFIG; docker rmi {image}; exit $code",
        stdin=registry.password,
    )


@pytest.fixture
def spare(bed: Testbed) -> Iterator[Host]:
    """A host of the test's own: on the others, somebody may be in the middle of something."""
    host = bed.add_host(f"spare-{secrets.token_hex(3)}")
    yield host
    bed.remove_host(host.name)


def test_a_rebooted_host_is_the_same_host(spare: Host) -> None:
    spare.sh("docker run --detach --name survivor --restart always redis:8")
    spare.reboot()
    assert spare.ssh("docker", "ps", "--format", "{{.Names}}").stdout == "survivor\n"


def test_a_cut_network_loses_packets_and_a_restored_one_goes_on(bed: Testbed, spare: Host) -> None:
    with subprocess.Popen(
        ["ssh", "-F", bed.ssh_config, spare.name, "read line; echo $line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as session:
        spare.cut_network()
        try:
            assert _connect(spare).returncode == 255
        finally:
            spare.restore_network()
        said, _ = session.communicate("still here\n", timeout=60)
    assert said == "still here\n"


def _connect(host: Host) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", host.ssh_config, "-o", "ConnectTimeout=1", host.name, "true"],
        capture_output=True,
        text=True,
        check=False,
    )
