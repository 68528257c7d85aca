"""How a host is written: an SSH destination, an alias, a URL, or ``local``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from fairway.config.checks import USER, port_number

LOCAL = "local"
_USER = re.compile(USER)
# May not start with '-': ssh would take it for an option.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\]")
_FORMS = "user@host, an ssh alias, ssh://user@host:port, or local"


@dataclass(frozen=True)
class Host:
    """One host of an environment.

    ``name`` is what people see, ``destination`` the host name or alias for ssh.
    ``identity`` is the text of a private key when one was given in the
    environment's variables; otherwise ssh finds its own. With ``known_hosts`` the
    host's key must be in that file, whatever this machine has met before.
    """

    name: str
    destination: str
    user: str | None = None
    port: int | None = None
    identity: SecretStr | None = None
    known_hosts: Path | None = None

    @property
    def local(self) -> bool:
        """Whether the host is this machine."""
        return self.name == LOCAL

    def with_login(
        self, *, user: str | None, port: int | None, identity: SecretStr | None, known_hosts: Path | None = None
    ) -> Host:
        """Return the host with what the environment says of it; ``local`` stays as it is."""
        if self.local:
            return self
        return replace(
            self,
            user=user or self.user,
            port=port or self.port,
            identity=identity or self.identity,
            known_hosts=known_hosts,
        )


def parse_host(value: str) -> Host:
    """Parse one entry of ``hosts``. Raises ``ValueError`` saying what is wrong.

    >>> parse_host("ssh://deploy@[::1]:2222").port
    2222
    """
    if value == LOCAL:
        return Host(LOCAL, LOCAL)
    is_url = value.startswith("ssh://")
    user, at, rest = value.removeprefix("ssh://").rpartition("@")
    if ":" in user:
        raise ValueError("must not hold a password: log in with a key")
    port = None
    if is_url:
        rest = rest.rstrip("/")
        match = re.fullmatch(r"(?P<host>\[[^\]]*\]|[^:\[]*):(?P<port>.*)", rest)
        if match:
            rest, port = match["host"], port_number(match["port"])
    elif ":" in rest and not rest.startswith("["):
        raise ValueError(f"must be {_FORMS}; with a port it is written ssh://{value[:60]}")
    if (at and not _USER.fullmatch(user)) or not (_NAME.fullmatch(rest) or (is_url and _IPV6.fullmatch(rest))):
        raise ValueError(f"must be {_FORMS}, not {value[:60]!r}")
    return Host(value, rest.strip("[]"), user or None, port)
