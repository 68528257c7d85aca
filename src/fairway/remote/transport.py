"""How a program is started on a host: the smallest interface that SSH and this machine share."""

from __future__ import annotations

import atexit
import hashlib
import os
import shlex
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Protocol

from fairway.config import Host

# Reused by the commands that follow, so that a second one skips the handshake.
_KEEP_CONNECTION_S = 60
_CONNECT_TIMEOUT_S = 10


class Transport(Protocol):
    """Starts a program on a host with pipes to its standard input and output."""

    #: What errors and progress call the host.
    name: str

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        """Start ``argv`` on the host; standard error is a pipe too."""
        ...


class LocalTransport:
    """The host is this machine."""

    name = "this machine"

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        return _popen(argv)


class SshTransport:
    """The host is reached by the OpenSSH client, with the user's own configuration, agent and known hosts."""

    def __init__(self, host: Host, ssh_config: Path | None) -> None:
        self._host = host
        self._ssh_config = ssh_config
        self.name = host.name

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        return _popen([*self.command(), "--", self._host.destination, shlex.join(argv)])

    def command(self) -> list[str]:
        """Return the ssh command line up to the destination."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(_CONNECT_TIMEOUT_S),
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
            "ControlMaster": "auto",
            "ControlPath": str(_control_directory() / f"{self._way_in()}-%C"),
            "ControlPersist": str(_KEEP_CONNECTION_S),
        }
        argv = ["ssh", "-T"]
        if self._ssh_config is not None:
            argv += ["-F", str(self._ssh_config)]
        if self._host.port is not None:
            argv += ["-p", str(self._host.port)]
        if self._host.user is not None:
            argv += ["-l", self._host.user]
        if self._host.identity is not None:
            argv += ["-i", str(_key_file(self._host.identity.get_secret_value())), "-o", "IdentitiesOnly=yes"]
        for key, value in options.items():
            argv += ["-o", f"{key}={value}"]
        return argv

    def _way_in(self) -> str:
        """Tell connections apart that go to one host by another configuration or key."""
        key = self._host.identity.get_secret_value() if self._host.identity else ""
        config = self._ssh_config.read_text(encoding="utf-8", errors="replace") if self._ssh_config else ""
        return hashlib.sha256(f"{self._ssh_config}\0{config}\0{key}".encode()).hexdigest()[:8]


def transport_for(host: Host, ssh_config: Path | None) -> Transport:
    """Return the transport that reaches a host; ``ssh_config`` stands for the user's own."""
    return LocalTransport() if host.local else SshTransport(host, ssh_config)


def _popen(argv: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@cache
def _key_file(text: str) -> Path:
    """Write a key that came through the environment where ssh can read it, for this process's life."""
    descriptor, name = tempfile.mkstemp(prefix="fairway-key-")
    with os.fdopen(descriptor, "w") as file:
        file.write(text if text.endswith("\n") else text + "\n")
    atexit.register(Path(name).unlink, missing_ok=True)
    return Path(name)


def _control_directory() -> Path:
    """Return a private, short directory: a socket's path may have 104 bytes at most."""
    directory = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"fairway-ssh-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.stat().st_uid != os.getuid() or directory.stat().st_mode & 0o077:
        return Path(tempfile.mkdtemp(prefix="fairway-ssh-"))
    return directory
