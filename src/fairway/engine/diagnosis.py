"""Why a container does not become ready, in words that say what to do: decided from what was seen of it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.drivers import Container
from fairway.engine.edge import Answer

_KILLED = 137
_CANNOT_EXECUTE, _NOT_FOUND = 126, 127
_LISTEN = "0A"
# Docker's own name service listens in every container's network namespace.
_DOCKER_DNS = "127.0.0.11"


@dataclass(frozen=True)
class Listener:
    """An address and a port on which something in a container accepts connections."""

    address: str
    port: int

    @property
    def local_only(self) -> bool:
        """Say whether nothing outside the container can reach it."""
        return ipaddress.ip_address(self.address).is_loopback


def death(container: Container | None) -> str | None:
    """Say why a container cannot become ready, or None while it still can."""
    if container is None:
        return "it is gone"
    if container.oom_killed:
        return "it was killed for using more memory than it may (out of memory)"
    if container.status in ("exited", "dead", "restarting"):
        suffix = ", killed, often for lack of memory" if container.exit_code == _KILLED else ""
        return f"it exited with code {container.exit_code}{suffix}"
    if container.status == "created" and container.error:
        return f"it cannot be started: {container.error}"
    return None


def remedy(container: Container | None, log: str) -> str:
    """Say what to do about a container that ended."""
    if container is None:
        return "somebody removed it; deploy again"
    if container.oom_killed or container.exit_code == _KILLED:
        return "give the service more memory (mem_limit in the compose file), or the host; traffic was not moved"
    if container.exit_code in (_CANNOT_EXECUTE, _NOT_FOUND) or "executable file not found" in container.error:
        return "the image's command is missing or not executable: check CMD and ENTRYPOINT; traffic was not moved"
    if container.exit_code == 0:
        return "its command ended instead of serving: check the image's CMD; traffic was not moved"
    if re.search(r"connection refused|could not connect|ECONNREFUSED|Name or service not known", log, re.IGNORECASE):
        return "it cannot reach a service it needs: compare its settings with the compose file; traffic was not moved"
    return "the last lines above are its own; traffic was not moved"


def wrong_port(listeners: list[Listener], port: int) -> str | None:
    """Say on what a container listens instead of ``port``, or None when it listens on it or on nothing yet."""
    if any(one.port == port and not one.local_only for one in listeners):
        return None
    if any(one.port == port for one in listeners):
        return f"it listens on port {port} of its own loopback only, where nothing else can reach it"
    reachable = sorted({one.port for one in listeners})
    if not reachable:
        return None
    return f"nothing listens on port {port} in it; it listens on {', '.join(map(str, reachable))}"


def port_remedy(port: int) -> str:
    """Say what to do about a container that listens elsewhere."""
    return f"have the application listen on 0.0.0.0:{port}, or set compose.app_port in fairway.toml"


def listeners(pid: int, proc: Path = Path("/proc")) -> list[Listener]:
    """Return what listens in the network namespace of a process; nothing when it cannot be seen.

    Source: proc(5), ``/proc/net/tcp``.
    """
    found = []
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / str(pid) / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        found += [one for line in lines if (one := _listener(line)) is not None]
    return found


def _listener(line: str) -> Listener | None:
    words = line.split()
    if len(words) < 4 or words[3] != _LISTEN:
        return None
    raw, _, port = words[1].partition(":")
    # Each 32-bit word of the address is in the host's byte order.
    octets = b"".join(bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8))
    address = ipaddress.ip_address(octets)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    text = str(mapped or address)
    return None if text == _DOCKER_DNS else Listener(text, int(port, 16))


def describe(answer: Answer) -> str:
    """Return one line about an answer on the readiness path."""
    return answer.body if answer.status is None else f"{answer.status} {answer.body[:300]}".strip()
