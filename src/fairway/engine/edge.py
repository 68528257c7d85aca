"""The edge: HAProxy in front of the two slots, moved by its runtime socket.

After an upgrade it is several processes (see ``fairway.engine.instances``): a command
goes to each of them, and what one says counts only together with the others.

Sources: HAProxy 3.0 Configuration Manual and Management Guide ("Unix Socket commands").
"""

from __future__ import annotations

import csv
import hashlib
import io
import socket
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from fairway.engine.contract.errors import Failed
from fairway.engine.contract.names import Slot
from fairway.engine.files import write_atomically
from fairway.engine.instances.runtime import DIRECTORY_VARIABLE, ask, ask_each, directory, present
from fairway.engine.model import slot_service

MAX_BODY_BYTES = 4096
MAX_METRICS_BYTES = 4 * 1024 * 1024
_FROM_SLOT = "X-Fairway-Answered"


def render_config(app_port: int, active: Slot | None) -> str:
    """Return HAProxy's configuration with ``active`` serving.

    A running edge is moved by its socket; the file is what it comes back with
    after a restart. The readiness probes have sockets of their own, so a slot is
    asked through the edge, from its network, before it gets any traffic.
    """
    return _render(app_port, active, config_revision(app_port))


def config_revision(app_port: int) -> str:
    """Name the configuration apart from which slot serves; a process tells its own in ``show info``."""
    return hashlib.sha256(_render(app_port, None, "").encode()).hexdigest()[:12]


def _render(app_port: int, active: Slot | None, revision: str) -> str:
    servers = "\n".join(
        f"    server {slot.value} {slot_service(slot)}:{app_port} {'' if slot is active else 'disabled'}".rstrip()
        for slot in Slot
    )
    probes = "\n".join(_render_probe(slot, app_port) for slot in Slot)
    return f"""\
# Written by Fairway; overwritten at each switch.
global
    description {revision}
    # The next process takes the listening sockets over from here, so no waiting connection is lost.
    stats socket "/run/fairway/${{{DIRECTORY_VARIABLE}}}admin.sock" mode 600 level admin expose-fd listeners
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
    # A process that hands over tells a kept connection so with its next answer, and never drops it unasked.
    option idle-close-on-response
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

{probes}
# For the deploy user alone: the engine reads it. A build without the exporter goes without.
.if feature(PROMEX)
frontend metrics
    bind "unix@/run/fairway/${{{DIRECTORY_VARIABLE}}}metrics.sock" mode 600
    http-request use-service prometheus-exporter
.endif
"""


def _render_probe(slot: Slot, app_port: int) -> str:
    return f"""\
frontend probe-{slot.value}
    bind "unix@/run/fairway/${{{DIRECTORY_VARIABLE}}}probe-{slot.value}.sock" mode 600
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
    """HAProxy's figures for one slot: its state, what is open, and what it has answered.

    ``errors`` are answers of 500 and above and ``failures`` connections or answers
    that broke; both count up from the edge's start or :meth:`Edge.clear_figures`.
    ``response_ms`` is the mean time to the first byte over the last 1,024 requests.
    Source: HAProxy Management Guide, "Statistics and monitoring".
    """

    status: str
    sessions: int
    weight: int = 1
    requests: int = 0
    errors: int = 0
    failures: int = 0
    response_ms: int = 0

    @property
    def serving(self) -> bool:
        """Say whether new requests go there."""
        return self.status.startswith(("UP", "no check"))


def _server_stats(row: dict[str, str]) -> ServerStats:
    return ServerStats(
        status=row["status"],
        sessions=int(row["scur"]),
        weight=int(row["weight"]),
        requests=int(row["stot"]),
        errors=int(row["hrsp_5xx"]),
        failures=int(row["econ"]) + int(row["eresp"]),
        response_ms=int(row["rtime"]),
    )


class Edge:
    """One host's edge, through the sockets in its run directory: all of its processes as one."""

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
        """Say whether the process that owns the published port answers on its runtime socket."""
        try:
            return "Uptime" in ask(self._run_dir, "show info")
        except Failed:
            return False

    def stats(self) -> dict[Slot, ServerStats]:
        """Ask the edge what it does with each slot."""
        return together([_read_stats(said) for said in self._each("show stat app -1 -1")])

    def active(self) -> Slot | None:
        """Ask the edge which slot gets new requests; None when its processes do not agree."""
        serving = [slot for slot, stats in self.stats().items() if stats.serving]
        return serving[0] if len(serving) == 1 else None

    def serving(self) -> Slot | None:
        """Return the slot that gets new requests: as the edge says, or as it will say when it is back."""
        return self.active() if self.answers() else self.configured()

    def configured(self) -> Slot | None:
        """Return the slot that the edge serves when it starts: what its configuration says."""
        try:
            text = self._config.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        backend = text.partition("\nbackend app\n")[2].partition("\n\n")[0]
        servers = [line.split() for line in backend.splitlines() if line.startswith("    server ")]
        serving = [Slot(words[1]) for words in servers if words[-1] != "disabled"]
        return serving[0] if len(serving) == 1 else None

    def share(self, slot: Slot, percent: int) -> None:
        """Send this share of new requests to ``slot`` and the others to the slot beside it.

        Not written to the configuration: an edge that starts anew serves the old slot alone.
        """
        for one, weight in ((slot, percent), (slot.other, 100 - percent)):
            self._command(f"set server app/{one.value} weight {weight}")
            self._command(f"set server app/{one.value} state ready")

    def clear_figures(self) -> None:
        """Count from nothing, so that what a slot answered before does not speak for what it answers now."""
        self._command("clear counters all")

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
        for slot in Slot:
            self._command(f"set server app/{slot.value} weight 100%")
        if self.active() is not to:
            raise Failed(f"the edge did not move traffic to {to.value}", why=f"it says {self.stats()}")

    def rest(self, slot: Slot) -> None:
        """Take a drained slot out."""
        if self.configured() is slot.other:
            # A process that came back in the middle of the switch may have read the file of before.
            self._command(f"set server app/{slot.other.value} state ready")
        self._command(f"set server app/{slot.value} state maint")

    def close_sessions(self, slot: Slot) -> None:
        """End what is still open on a slot."""
        self._command(f"shutdown sessions server app/{slot.value}")

    def probe(self, slot: Slot, path: str, *, timeout_s: float = 6.0) -> Answer:
        """Ask a slot's readiness path once, through the edge."""
        newest_first = [directory(self._run_dir, number) for number in reversed(present(self._run_dir))]
        connection = _UnixHTTPConnection([each / f"probe-{slot.value}.sock" for each in newest_first], timeout_s)
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

    def metrics(self) -> list[tuple[int, str]]:
        """Return what each process says in Prometheus' text format; one without the exporter is left out."""
        found = []
        for number in present(self._run_dir):
            connection = _UnixHTTPConnection([directory(self._run_dir, number) / "metrics.sock"], 5.0)
            try:
                connection.request("GET", "/metrics?scope=frontend&scope=server", headers={"Host": "localhost"})
                response = connection.getresponse()
                body = response.read(MAX_METRICS_BYTES)
            except (OSError, HTTPException):
                continue
            finally:
                connection.close()
            if response.status == 200:
                found.append((number, body.decode("utf-8", errors="replace")))
        return found

    def _command(self, text: str) -> None:
        self._each(text)

    def _each(self, text: str) -> list[str]:
        """Send a command to every process, oldest first. One that has ended comes back with the file's state."""
        return [said for _, said in ask_each(self._run_dir, text)]


def _read_stats(said: str) -> dict[Slot, ServerStats]:
    rows = csv.DictReader(io.StringIO(said.lstrip("# ")))
    by_name = {row["svname"]: row for row in rows if row.get("pxname") == "app"}
    try:
        return {slot: _server_stats(by_name[slot.value]) for slot in Slot}
    except (KeyError, ValueError):
        raise Failed(
            "the edge gives no figures for its slots", hint="fairway logs <environment> --service edge"
        ) from None


def together(found: list[dict[Slot, ServerStats]]) -> dict[Slot, ServerStats]:
    """Return the figures of several processes as those of one edge; the newest process comes last.

    What was counted is summed, times are weighed by the requests they were taken on.
    The state is the newest process's, but a slot that any of them sends visitors to
    serves: when they do not agree, more than one does.
    """
    return {slot: _sum([stats[slot] for stats in found]) for slot in Slot}


def _sum(found: list[ServerStats]) -> ServerStats:
    requests = sum(each.requests for each in found)
    return replace(
        next((each for each in reversed(found) if each.serving), found[-1]),
        sessions=sum(each.sessions for each in found),
        requests=requests,
        errors=sum(each.errors for each in found),
        failures=sum(each.failures for each in found),
        response_ms=round(sum(each.response_ms * each.requests for each in found) / requests) if requests else 0,
    )


class _UnixHTTPConnection(HTTPConnection):
    """Connects to the first of several sockets at which somebody listens."""

    def __init__(self, paths: list[Path], timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._paths = paths

    def connect(self) -> None:
        for path in self._paths:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            try:
                self.sock.connect(str(path))
                return
            except (ConnectionRefusedError, FileNotFoundError) as error:
                self.sock.close()
                refused = error
        raise refused
