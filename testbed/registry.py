"""The bed's registry: a login, TLS by a CA of its own, one address for the machine and the hosts."""

from __future__ import annotations

import base64
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from testbed.docker import LABEL, docker
from testbed.images import HOST
from testbed.waiting import wait_for

CONFIG = """\
version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
auth:
  htpasswd: {realm: fairway-dev, path: /fairway/htpasswd}
http:
  addr: ':5000'
  tls: {certificate: /fairway/registry.crt, key: /fairway/registry.key}
"""


@dataclass(frozen=True)
class Registry:
    """A running registry. ``address`` is ``ip:port``, as images are named."""

    address: str
    username: str
    password: str
    ca_file: Path
    container: str

    @property
    def url(self) -> str:
        """Where its HTTP API is."""
        return f"https://{self.address}"

    @property
    def authorization(self) -> str:
        """The value of an ``Authorization`` field that it accepts."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    def status(self, path: str = "/v2/", *, login: bool = True) -> int:
        """Ask for a path of its API and return the HTTP status; 0 when nobody answers."""
        request = urllib.request.Request(self.url + path)
        if login:
            request.add_header("Authorization", self.authorization)
        # An empty handler keeps a proxy of the environment out of it.
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(self.ca_file))),
            urllib.request.ProxyHandler({}),
        )
        try:
            with opener.open(request, timeout=5) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait_ready(self) -> None:
        """Wait until it answers and knows its login."""
        wait_for(f"the registry at {self.address}", lambda: self.status() == 200)

    def stop(self) -> None:
        """Stop it: connections are refused."""
        docker("stop", "--time=2", self.container)

    def start(self) -> None:
        """Start it again, with everything it held."""
        docker("start", self.container)
        self.wait_ready()

    def pause(self) -> None:
        """Freeze it: connections are accepted and nothing is ever answered."""
        docker("pause", self.container)

    def unpause(self) -> None:
        """Let it go on."""
        docker("unpause", self.container)
        self.wait_ready()

    def logs(self) -> str:
        """Return what it has logged."""
        done = docker("logs", self.container)
        return done.stdout + done.stderr


def password_hash(password: str) -> str:
    """Return the bcrypt hash a registry's htpasswd file needs.

    Perl is part of every Debian and asks the C library; Python's own module is gone since 3.13.
    """
    script = "chomp(my $p = <STDIN>); print crypt($p, q($2y$05$) . join '', map chr(97 + rand 26), 1..22)"
    arguments = ("run", "--rm", "--interactive", f"--label={LABEL}=1", "--network=none", "--entrypoint=perl")
    return docker(*arguments, HOST.name, "-e", script, stdin=password + "\n").stdout.strip()
