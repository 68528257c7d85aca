"""The bed's registry: a login, TLS by a CA of its own, one address for the machine and the hosts."""

from __future__ import annotations

import base64
import secrets
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from testbed.docker import LABEL, docker
from testbed.images import HOST
from testbed.waiting import wait_for

_STORAGE = "/var/lib/registry"
CONFIG = f"""\
version: 0.1
log: {{level: info}}
storage:
  filesystem: {{rootdirectory: {_STORAGE}}}
  delete: {{enabled: true}}
auth:
  htpasswd: {{realm: fairway-dev, path: /fairway/htpasswd}}
http:
  addr: ':5000'
  tls: {{certificate: /fairway/registry.crt, key: /fairway/registry.key}}
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

    def blob_path(self, digest: str) -> str:
        """Return where in its container a blob lies."""
        return f"{_STORAGE}/docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"

    def keep_tags(self, repository: str) -> str:
        """Put a copy of what a repository's tags name aside, on the registry's own disk; return where."""
        copy = f"{_STORAGE}/kept-{secrets.token_hex(6)}"
        docker("exec", self.container, "cp", "-a", f"{self._tags(repository)}", copy)
        return copy

    def set_back(self, repository: str, copy: str) -> None:
        """Have a repository's tags name what they did when they were copied, as a restored disk does."""
        tags = self._tags(repository)
        docker("exec", self.container, "rm", "-r", tags)
        docker("exec", self.container, "cp", "-a", copy, tags)

    def move_tag(self, repository: str, tag: str, to: str) -> None:
        """Have a tag name what another does, past what the registry would say to that."""
        tags = self._tags(repository)
        docker("exec", self.container, "cp", f"{tags}/{to}/current/link", f"{tags}/{tag}/current/link")

    def _tags(self, repository: str) -> str:
        return f"{_STORAGE}/docker/registry/v2/repositories/{repository}/_manifests/tags"

    def collect_garbage(self) -> str:
        """Remove every blob that no tag leads to, and return what was said of it. Nobody may push meanwhile."""
        command = ("/bin/registry", "garbage-collect", "--delete-untagged", "/fairway/config.yml")
        return docker("exec", self.container, *command, timeout_s=300).stdout

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
