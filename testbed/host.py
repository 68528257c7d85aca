"""A host to deploy to: a container with sshd and a Docker daemon of its own."""

from __future__ import annotations

import shlex
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from testbed.docker import docker, environment
from testbed.process import TestbedError, run
from testbed.waiting import wait_for

USER = "deploy"
_DAEMON = "/usr/local/sbin/dockerd-service.sh"
# What a program on the host itself runs to be without delay; the methods below run the same.
KILL_DOCKER = f"{_DAEMON} kill"
STOP_DOCKER = f"{_DAEMON} stop"
CUT_NETWORK = "iptables -w -t raw -I PREROUTING -i eth0 -j DROP && iptables -w -t mangle -I POSTROUTING -o eth0 -j DROP"


@dataclass(frozen=True)
class Host:
    """A running host. ``name`` is also its alias in the bed's ``ssh_config``."""

    name: str
    address: str
    container: str
    ssh_config: Path

    @property
    def ssh_alias(self) -> str:
        """The name by which ssh finds it, given the bed's ``ssh_config``."""
        return self.name

    def http(self, port: int) -> str:
        """Return the base URL of what it publishes on a port."""
        return f"http://{self.address}:{port}"

    def run(
        self,
        script: str,
        *,
        user: str = "root",
        check: bool = True,
        stdin: str | None = None,
        timeout_s: float = 120.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script on it, past ssh and past its network."""
        interactive = ["--interactive"] if stdin is not None else []
        command = ["exec", *interactive, f"--user={user}", self.container, "bash", "-c", script]
        return docker(*command, check=check, stdin=stdin, timeout_s=timeout_s)

    def sh(self, script: str, *, user: str = "root", check: bool = True, timeout_s: float = 120.0) -> str:
        """Run a shell script on it and return its standard output without the last newline."""
        return self.run(script, user=user, check=check, timeout_s=timeout_s).stdout.rstrip("\n")

    def ssh(self, *command: str, check: bool = True, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command on it over ssh, as the user who deploys."""
        return run(
            ["ssh", "-F", self.ssh_config, self.name, "--", *command],
            check=check,
            env=environment(),
            timeout_s=timeout_s,
        )

    def add_user(self, name: str, public: str) -> None:
        """Make a user who may use Docker, whom this key logs in."""
        home = f"/home/{name}"
        self.sh(
            f"set -e; useradd --create-home --shell /bin/bash --groups docker {name}; usermod --password '*' {name};"
            f" install -d -m 700 -o {name} -g {name} {home}/.ssh"
        )
        self.put(f"{home}/.ssh/authorized_keys", public + "\n", mode=0o600, owner=name)

    def remove_user(self, name: str) -> None:
        """Remove a user with all that is theirs and runs as them."""
        self.sh(f"pkill -KILL -u {name} || true; userdel --force --remove {name} 2>/dev/null || true")

    def docker(self, *args: str, check: bool = True, timeout_s: float = 120.0) -> str:
        """Run its docker and return the standard output without the last newline."""
        return self.sh(shlex.join(["docker", *args]), check=check, timeout_s=timeout_s)

    def put(self, path: str, text: str, *, mode: int = 0o644, owner: str = "root") -> None:
        """Write a file, at once and never readable by others than ``mode`` says."""
        target, temporary = shlex.quote(path), shlex.quote(f"{path}.new")
        self.run(
            f"set -e; umask 077; cat >{temporary}; chown {owner}:{owner} {temporary};"
            f" chmod {mode:o} {temporary}; mv -T {temporary} {target}",
            stdin=text,
        )

    def get(self, path: str) -> str:
        """Return a file's text. Raises ``TestbedError`` when there is none."""
        return self.run(f"cat {shlex.quote(path)}").stdout

    def reboot(self) -> None:
        """Shut it down in order, start it again, and wait until it can be used."""
        docker("stop", "--time=60", self.container, timeout_s=90)
        self._boot()

    def power_cut(self) -> None:
        """End everything on it at once, without a word; start it again and wait until it can be used."""
        docker("kill", self.container)
        self._boot()

    def stop_docker(self) -> None:
        """Stop its Docker daemon in order: its containers end, too."""
        self.sh(STOP_DOCKER)

    def kill_docker(self) -> None:
        """Kill its Docker daemon; the containers live on."""
        self.sh(KILL_DOCKER)

    def start_docker(self) -> None:
        """Start its Docker daemon again."""
        docker("exec", "--detach", self.container, _DAEMON, "start")
        self.sh(f"{_DAEMON} wait")

    def cut_network(self) -> None:
        """Pull the cable: packets get lost both ways, and nobody is told."""
        self.sh(CUT_NETWORK)

    def restore_network(self) -> None:
        """Put the cable back; connections that are still wanted go on."""
        self.sh(
            "iptables -w -t raw -D PREROUTING -i eth0 -j DROP; iptables -w -t mangle -D POSTROUTING -o eth0 -j DROP"
        )

    def wait_ready(self) -> None:
        """Wait until its Docker and its sshd answer."""
        try:
            self.sh(f"{_DAEMON} wait")
            wait_for(f"sshd on {self.name}", self._greets)
        except TestbedError as error:
            said = docker("logs", "--tail=20", self.container, check=False)
            raise TestbedError(f"the host {self.name} does not come up: {error}\n{said.stdout}{said.stderr}") from None

    def wait_greeting(self) -> None:
        """Wait until its sshd answers."""
        wait_for(f"sshd on {self.name}", self._greets)

    def _boot(self) -> None:
        docker("start", self.container)
        self.wait_ready()

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.address, 22), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False
