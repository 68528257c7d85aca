"""What visitors can reach of a host that they should not. Advice: no firewall is touched."""

from __future__ import annotations

import ipaddress
import re

from fairway.engine.groundwork.machine import Machine, View
from fairway.engine.groundwork.wants import Look, Tell
from fairway.engine.groundwork.wish import Wish

# Ports of servers that are made for programs of one's own, by what usually listens there.
_INNER = {
    2375: "Docker's own, which is root to everybody",
    3306: "MySQL",
    5432: "PostgreSQL",
    6379: "Redis",
    9200: "Elasticsearch",
    11211: "memcached",
    27017: "MongoDB",
}
_PUBLISHED = re.compile(r"(?P<address>[0-9.]+|\[[0-9a-f:]+\]|[0-9a-f:]*::[0-9a-f:]*):(?P<port>\d+)->")
_BYPASS = "ports that Docker publishes go past ufw: publish them on 127.0.0.1 instead"


class Ports:
    """Look at what listens for the whole world."""

    name = "open ports"

    def asked(self, wish: Wish) -> bool:
        return True

    def look(self, machine: View, wish: Wish) -> Look:
        published = _published(machine)
        open_ports = sorted({port for address, port in machine.listening() if not _is_inner(address)} | published)
        found = f"reachable unless a firewall says otherwise: {', '.join(map(str, open_ports)) or 'none'}"
        wrong = [f"{port} ({_INNER[port]})" for port in open_ports if port in _INNER]
        if wish.site is not None and wish.published_widely:
            wrong.append(f"{wish.port_number} (the edge, past nginx and its TLS)")
        if not wrong:
            notes: tuple[str, ...] = ()
            if wish.published_widely:
                notes = (f'the edge is published on every address; behind a proxy: port = "{wish.upstream}"',)
            return Look(found, notes=notes)
        hint = _BYPASS
        if wish.site is not None and wish.published_widely:
            hint = f'port = "127.0.0.1:{wish.port_number}" in fairway.toml; {_BYPASS}'
        return Look(found, wrong=f"open to everybody: {', '.join(wrong)}", hint=hint)

    def do(self, machine: Machine, wish: Wish, tell: Tell) -> tuple[str, ...]:
        return ()


def _published(machine: View) -> set[int]:
    """Return the ports that Docker publishes widely; without its proxy no process listens on them."""
    said = machine.run(["docker", "ps", "--format", "{{.Ports}}"], timeout_s=20).stdout
    return {int(match["port"]) for match in _PUBLISHED.finditer(said) if not _is_inner(match["address"].strip("[]"))}


def _is_inner(address: str) -> bool:
    if not address:
        return False
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
