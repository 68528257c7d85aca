"""The edge: HAProxy in front of the two slots, moved by its runtime socket.

Sources: HAProxy 3.0 Configuration Manual and Management Guide ("Unix Socket commands").
"""

from __future__ import annotations

import csv
import io
import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Slot
from fairway.engine.files import write_atomically
from fairway.engine.model import slot_service

MAX_BODY_BYTES = 4096
_FROM_SLOT = "X-Fairway-Answered"


def render_config(app_port: int, active: Slot | None) -> str:
    """Return HAProxy's configuration with ``active`` serving.

    A running edge is moved by its socket; the file is what it comes back with
    after a restart. The readiness probes have sockets of their own, so a slot is
    asked through the edge, from its network, before it gets any traffic.
    """
    servers = "\n".join(
        f"    server {slot.value} {slot_service(slot)}:{app_port} {'' if slot is active else 'disabled'}".rstrip()
        for slot in Slot
    )
    probes = "\n".join(_render_probe(slot, app_port) for slot in Slot)
    return f"""\
# Written by Fairway; overwritten at each switch.
global
    stats socket /run/fairway/admin.sock mode 600 level admin
    log stdout format raw local0 notice

resolvers docker
    nameserver docker 127.0.0.11:53
    timeout resolve 1s
    timeout retry 1s
    hold valid 1s
    # While Docker's name service is away (a daemon restarting), the last address goes on being right.
    hold timeout 24h
    hold refused 24h
    hold other 24h

defaults
    mode http
    log global
    option dontlognull
    option redispatch
    # A kept connection may be closed by the application just as the next request is sent on it;
    # one connection a request to the slot, over the host's own bridge, never meets that.
    option http-server-close
    retries 3
    timeout connect 2s
    timeout queue 10s
    timeout http-request 30s
    timeout http-keep-alive 75s
    # A quiet stream is not a dead one: the proxy in front and the application decide.
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
    default-server resolvers docker resolve-prefer ipv4 init-addr libc,none

frontend traffic
    bind :{app_port}
    default_backend app

backend app
{servers}

{probes}"""


def _render_probe(slot: Slot, app_port: int) -> str:
    return f"""\
frontend probe-{slot.value}
    bind unix@/run/fairway/probe-{slot.value}.sock mode 600
    default_backend probe-{slot.value}

backend probe-{slot.value}
    retries 0
    timeout connect 1s
    timeout server 5s
    # Set on the application's own answers only, so HAProxy's 503 is told apart from the application's.
    http-response set-header {_FROM_SLOT} {slot.value}
    server {slot.value} {slot_service(slot)}:{app_port}
"""


@dataclass(frozen=True)
class Answer:
    """What a slot answered on the readiness path; ``status`` is None when nothing answered."""

    status: int | None
    body: str

    @property
    def ready(self) -> bool:
        """Only a plain 200 counts."""
        return self.status == 200


@dataclass(frozen=True)
class ServerStats:
    """HAProxy's figures for one slot: its state and its open sessions."""

    status: str
    sessions: int

    @property
    def serving(self) -> bool:
        """Say whether new requests go there."""
        return self.status.startswith(("UP", "no check"))


class Edge:
    """One host's edge, through the sockets in its run directory."""

    def __init__(self, config_dir: Path, run_dir: Path) -> None:
        self._config = config_dir / "haproxy.cfg"
        self._run_dir = run_dir

    def write_config(self, app_port: int, active: Slot | None) -> bool:
        """Write the configuration the edge starts with; return whether it changed."""
        content = render_config(app_port, active).encode()
        if self._config.exists() and self._config.read_bytes() == content:
            return False
        # Not a secret, and read by HAProxy as another user where the image sets one.
        write_atomically(self._config, content, mode=0o644)
        return True

    def answers(self) -> bool:
        """Say whether the edge's runtime socket answers."""
        try:
            return "Uptime" in self._command("show info")
        except Failed:
            return False

    def stats(self) -> dict[Slot, ServerStats]:
        """Ask the edge what it does with each slot."""
        rows = csv.DictReader(io.StringIO(self._command("show stat app -1 -1").lstrip("# ")))
        by_name = {row["svname"]: row for row in rows if row.get("pxname") == "app"}
        try:
            return {slot: ServerStats(by_name[slot.value]["status"], int(by_name[slot.value]["scur"])) for slot in Slot}
        except (KeyError, ValueError):
            raise Failed(
                "the edge gives no figures for its slots", hint="fairway logs <environment> --service edge"
            ) from None

    def active(self) -> Slot | None:
        """Ask the edge which slot gets new requests."""
        serving = [slot for slot, stats in self.stats().items() if stats.serving]
        return serving[0] if len(serving) == 1 else None

    def point(self, slot: Slot, address: str, port: int) -> None:
        """Tell the edge where a slot's new container is, ahead of the name service it asks once a second."""
        for backend in ("app", f"probe-{slot.value}"):
            self._command(f"set server {backend}/{slot.value} addr {address} port {port}")

    def switch(self, app_port: int, to: Slot) -> None:
        """Move new requests to ``to``; what the other slot is serving goes on.

        The file is written first: an edge that dies in between comes back with
        the new slot, which has been found ready. Raises ``Failed`` when the edge
        does not confirm.
        """
        self.write_config(app_port, to)
        self._command(f"set server app/{to.value} state ready")
        self._command(f"set server app/{to.other.value} state drain")
        if self.active() is not to:
            raise Failed(f"the edge did not move traffic to {to.value}", why=f"it says {self.stats()}")

    def rest(self, slot: Slot) -> None:
        """Take a drained slot out."""
        self._command(f"set server app/{slot.value} state maint")

    def close_sessions(self, slot: Slot) -> None:
        """End what is still open on a slot."""
        self._command(f"shutdown sessions server app/{slot.value}")

    def probe(self, slot: Slot, path: str, *, timeout_s: float = 6.0) -> Answer:
        """Ask a slot's readiness path once, through the edge."""
        connection = _UnixHTTPConnection(self._run_dir / f"probe-{slot.value}.sock", timeout_s)
        try:
            connection.request("GET", path, headers={"Host": "localhost", "User-Agent": "fairway-readiness"})
            response = connection.getresponse()
            body = response.read(MAX_BODY_BYTES).decode("utf-8", errors="replace")
            if response.getheader(_FROM_SLOT) is None:
                return Answer(None, "nothing answers on the application's port yet")
            return Answer(response.status, body)
        except (OSError, HTTPException) as error:
            return Answer(None, f"no answer: {error}")
        finally:
            connection.close()

    def _command(self, text: str) -> str:
        path = self._run_dir / "admin.sock"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(5.0)
                connection.connect(str(path))
                connection.sendall(text.encode() + b"\n")
                chunks = []
                while chunk := connection.recv(65536):
                    chunks.append(chunk)
        except OSError as error:
            raise Failed(
                "the edge does not answer on its runtime socket",
                why=f"{path}: {error}",
                hint="see its log: fairway logs <environment> --service edge",
            ) from None
        return b"".join(chunks).decode("utf-8", errors="replace").strip()


class _UnixHTTPConnection(HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
