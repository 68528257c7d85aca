"""Ask for readiness as a visitor does: through nginx where it has the site, else on the published port."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from fairway.engine import clock
from fairway.engine.hostconfig import HostConfig
from fairway.engine.metrics.site import Site

_PATIENCE_S = 6.0
_READ_BYTES = 4096
_EVERYWHERE = ("", "0.0.0.0")  # noqa: S104 - recognized, never bound to


@dataclass(frozen=True)
class Door:
    """Where visitors come in: by ``via`` it is called in the metrics."""

    via: str
    address: str
    port: int
    name: str
    tls: bool = False


@dataclass(frozen=True)
class Knock:
    """What came of asking once."""

    door: Door
    up: bool
    seconds: float


def doors(host: HostConfig, sites: Iterator[Site]) -> Iterator[Door]:
    """Yield every way in that this host knows of."""
    address, _, port = host.port.rpartition(":")
    yield Door("port", "127.0.0.1" if address in _EVERYWHERE else address, int(port), "localhost")
    for site in sites:
        yield Door("site", "127.0.0.1", 443 if site.tls else 80, site.name, site.tls)


def knock(door: Door, path: str) -> Knock:
    """Ask once. Only a plain 200 counts; whose certificate it is, another metric says."""
    begun = clock.monotonic()
    connection = _connection(door)
    try:
        connection.request("GET", path, headers={"Host": door.name, "User-Agent": "fairway-front-door"})
        answer = connection.getresponse()
        answer.read(_READ_BYTES)
        up = answer.status == 200
    except (OSError, HTTPException):
        up = False
    finally:
        connection.close()
    return Knock(door, up, round(clock.monotonic() - begun, 4))


class _Plain(HTTPConnection):
    """Speaks with this very host."""

    def __init__(self, door: Door) -> None:
        super().__init__(door.address, door.port, timeout=_PATIENCE_S)
        self._door = door

    def connect(self) -> None:
        self.sock = _reach(self._door)


class _Secured(HTTPSConnection):
    """Speaks TLS with this very host under the site's name."""

    def __init__(self, door: Door, context: ssl.SSLContext) -> None:
        super().__init__(door.address, door.port, timeout=_PATIENCE_S)
        self._door, self._own = door, context

    def connect(self) -> None:
        self.sock = self._own.wrap_socket(_reach(self._door), server_hostname=self._door.name)


def _reach(door: Door) -> socket.socket:
    # As text the address would be looked up by tables for names in all scripts, which take memory each minute.
    return socket.create_connection((door.address.encode(), door.port), timeout=_PATIENCE_S)  # type: ignore[arg-type]


def _connection(door: Door) -> HTTPConnection:
    if not door.tls:
        return _Plain(door)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # An operator's own CA need not be known here, and nothing secret is sent.
    context.verify_mode = ssl.CERT_NONE
    return _Secured(door, context)
