"""The tutorial, followed literally: every command of it in order, on a machine where nothing is installed yet.

That machine is a container of the testbed's runner, which has this machine's Docker. What is the tester's own, as it
would be a reader's: the first block (names of hosts and registry), which of their addresses the names have
(``/etc/hosts``), a key in ``~/.ssh``, Docker's login, a Git identity, where pip finds packages and what is trusted.
Where the public Python image cannot be pulled, the testbed's stands in for it, under its name. The hosts have Docker
already; tests/host/test_bootstrap_bare.py begins with one that has not.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from testbed import images, wheels
from testbed.bed import Testbed
from testbed.docker import LABEL, ROOT, RUN_LABEL, docker, inspect
from testbed.process import TestbedError

TUTORIAL = ROOT / "docs" / "tutorial" / "first-deployment.md"
STAGING, PRODUCTION = "staging.example.com", "www.example.com"
PROJECT = "guestbook"


def _blocks() -> list[str]:
    """Return the tutorial's commands, block by block."""
    return re.findall(r"^```sh\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Followed:
    """What each block has said, from the second on: the first has the names alone."""

    said: list[str]

    def after(self, command: str) -> str:
        """Return what the block said that has a command."""
        place = next(number for number, block in enumerate(_blocks()) if command in block)
        return self.said[place]


@pytest.fixture
def python_image() -> Iterator[None]:
    """Have the base image under the name that ``fairway init`` writes, as if it had been pulled."""
    public = images.PYTHON.public or ""
    lent = not inspect("image", public)
    if lent:
        docker("tag", images.PYTHON_CA.name, public)
    yield
    if lent:
        docker("rmi", public)


@pytest.fixture
def followed(bed: Testbed, python_image: None) -> Iterator[Followed]:
    """Follow the tutorial to its end."""
    image = images.provide_runner()
    needed, own = wheels.collect(image), bed.state / "tutorial"
    wheels.build(own)
    owner = f"t-{secrets.token_hex(4)}"
    hosts = {name: bed.add_host(f"{name.partition('.')[0]}-{owner}") for name in (STAGING, PRODUCTION)}
    names = f"STAGING_HOST={STAGING} PRODUCTION_HOST={PRODUCTION} IMAGES={bed.registry.address}/{owner}"
    steps = [f"export {names}\n", *_blocks()[1:]]
    mark = f"== {owner} =="
    script = "".join(f"echo '{mark}'\n{step}" for step in steps)
    identity = {
        name: value for name, value in bed.environment.items() if name.startswith("GIT_") and "CONFIG" not in name
    }
    env = {**identity, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels/needed /wheels/own", "PIP_NO_COMPILE": "1"}
    env |= {"SSL_CERT_FILE": "/etc/ca-bundle.crt", "DOCKER_CONFIG": "/root/.docker"}
    files = {
        bed.state / "admin_ed25519": "/root/.ssh/id_ed25519",
        bed.state / "admin_ed25519.pub": "/root/.ssh/id_ed25519.pub",
        bed.docker_config / "config.json": "/root/.docker/config.json",
        bed.ca_bundle: "/etc/ca-bundle.crt",
        needed: "/wheels/needed",
        own: "/wheels/own",
    }
    socket = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    try:
        done = docker(
            *(
                "run",
                "--rm",
                f"--name=fairway-dev-{bed.name}-{owner}",
                f"--label={LABEL}=1",
                f"--label={RUN_LABEL}={bed.name}",
            ),
            *("--network=host", "--workdir=/root", f"--volume={socket}:/var/run/docker.sock"),
            *(f"--add-host={name}:{host.address}" for name, host in hosts.items()),
            *(f"--volume={source}:{target}:ro" for source, target in files.items()),
            *(f"--env={name}={value}" for name, value in env.items()),
            *(image.name, "bash", "-euo", "pipefail", "-c", script),
            check=False,
            timeout_s=900,
        )
        if done.returncode != 0:
            raise TestbedError(f"the tutorial ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        yield Followed(done.stdout.split(f"{mark}\n")[1:])
    finally:
        for host in hosts.values():
            bed.remove_host(host.name)
        built = docker("image", "ls", "--quiet", f"{bed.registry.address}/{owner}/*").stdout.split()
        if built:
            docker("rmi", "--force", *set(built), check=False)


def test_whoever_follows_the_tutorial_gets_to_its_end(followed: Followed) -> None:
    hello = '{"entries":["hello"]}'
    named = '{"entries":[{"words":"hello","name":null}]}'
    assert followed.after('fairway deploy staging "$first"').endswith(f"{hello}\n")
    assert followed.after('fairway deploy staging "$second"').endswith(f"{named}\n")
    assert followed.after("fairway rollback production\n").endswith(f"{hello}\n")
    assert "rollback" in followed.after("fairway history production")
