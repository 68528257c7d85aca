"""How a program is started on a host: the smallest interface that SSH and this machine share."""

from __future__ import annotations

import atexit
import getpass
import hashlib
import os
import re
import shlex
import subprocess
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Protocol

from fairway.config import Host
from fairway.engine.contract.errors import Invalid
from fairway.process import child_environment

# Reused by the commands that follow, so that a second one skips the handshake.
_KEEP_CONNECTION_S = 60
_CONNECT_TIMEOUT_S = 10
# Runs on the host as root, and gives that up before it becomes anything else.
_BECOME = """
import os, pwd, sys
try:
    user = pwd.getpwnam(sys.argv[1])
except KeyError:
    sys.exit("the host has no user " + sys.argv[1])
os.initgroups(user.pw_name, user.pw_gid)
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)
os.environ["HOME"] = user.pw_dir
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Transport(Protocol):
    """Starts a program on a host with pipes to its standard input and output."""

    #: What errors and progress call the host.
    name: str

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        """Start ``argv`` on the host; standard error is a pipe too."""
        ...


class Login(Transport, Protocol):
    """A transport that knows who it is on the host."""

    @property
    def user(self) -> str:
        """By which user programs are started."""
        ...


class LocalTransport:
    """The host is this machine."""

    name = "this machine"

    @property
    def user(self) -> str:
        return getpass.getuser()

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

    @property
    def user(self) -> str:
        """The user that ssh logs in as, which its own configuration may say; no connection is made."""
        said = subprocess.run(
            [*self.command(), "-G", "--", self._host.destination],
            capture_output=True,
            text=True,
            check=False,
            env=child_environment(),
        )
        found = re.search(r"^user (\S+)$", said.stdout, re.MULTILINE)
        if found is None:
            raise Invalid(f"ssh does not say by which user {self.name} is reached", why=said.stderr.strip()[-300:])
        return found[1]

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
        if self._host.known_hosts is not None:
            # ssh splits the value at spaces unless it is quoted, and % begins a word of its own in it.
            file = str(self._host.known_hosts).replace("%", "%%")
            options |= {
                "StrictHostKeyChecking": "yes",
                "UserKnownHostsFile": f'"{file}"',
                "GlobalKnownHostsFile": "none",
            }
        for key, value in options.items():
            argv += ["-o", f"{key}={value}"]
        return argv

    def _way_in(self) -> str:
        """Tell connections apart that go to one host by another configuration or key."""
        key = self._host.identity.get_secret_value() if self._host.identity else ""
        config = self._ssh_config.read_text(encoding="utf-8", errors="replace") if self._ssh_config else ""
        known = self._host.known_hosts.read_text(encoding="utf-8", errors="replace") if self._host.known_hosts else ""
        return hashlib.sha256(f"{self._ssh_config}\0{config}\0{key}\0{known}".encode()).hexdigest()[:8]


class SudoTransport:
    """Starts programs as root by another transport, whose user need not be root but may become it unasked."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.name = inner.name

    @property
    def user(self) -> str:
        return "root"

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        return self._inner.start(["sudo", "-n", *argv])


class DeployUserTransport:
    """Starts programs as the deploy user by an administrator's transport: root runs nothing that may be theirs."""

    def __init__(self, inner: Transport, user: str) -> None:
        self._inner = inner
        self.user = user
        self.name = inner.name

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        return self._inner.start(["python3", "-I", "-c", _BECOME, self.user, *argv])


def admin_transport(host: Host, admin: str, ssh_config: Path | None) -> Login:
    """Return an administrator's way to a host: by a login and a key of their own, as root.

    A key that came through the environment's variables is the pipeline's, so it is not offered.
    """
    if host.local:
        local = LocalTransport()
        return local if os.geteuid() == 0 else SudoTransport(local)
    inner = SshTransport(replace(host, user=admin, identity=None), ssh_config)
    return inner if admin == "root" else SudoTransport(inner)


def transport_for(host: Host, ssh_config: Path | None) -> Login:
    """Return the transport that reaches a host; ``ssh_config`` stands for the user's own."""
    return LocalTransport() if host.local else SshTransport(host, ssh_config)


def _popen(argv: list[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=child_environment())


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
