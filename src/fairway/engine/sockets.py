"""This machine's own addresses, and the ports that are taken on them, as the kernel tells everyone.

Source: proc(5): ``/proc/net/tcp``, ``/proc/net/fib_trie``, ``/proc/net/if_inet6``.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path

_NET = Path("/proc/net")
_LISTENING = "0A"
_LOCAL = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")


def is_here(host: str) -> bool:
    """Say whether a host, as a configuration names it, is this machine."""
    bare = host.strip("[]")
    if bare == "localhost":
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified or str(address) in _own_addresses()


def listening() -> list[tuple[str, int]]:
    """Return the TCP addresses and ports that are taken, an empty address meaning all."""
    found = parse_listening(_read("tcp"), socket.AF_INET) | parse_listening(_read("tcp6"), socket.AF_INET6)
    return sorted(found)


def parse_listening(table: str, family: int) -> set[tuple[str, int]]:
    """Read the kernel's table of TCP sockets."""
    found = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        address, _, port = fields[1].partition(":")
        if fields[3] == _LISTENING:
            found.add((_address(address, family), int(port, 16)))
    return found


def _own_addresses() -> set[str]:
    # To bind to an address proves nothing where net.ipv4.ip_nonlocal_bind is on.
    six = (line.split()[0] for line in _read("if_inet6").splitlines())
    return {*_LOCAL.findall(_read("fib_trie")), *(str(ipaddress.IPv6Address(int(text, 16))) for text in six)}


def _address(text: str, family: int) -> str:
    """Read the kernel's way of writing an address: each four bytes in the machine's own order."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    packed = b"".join(words)
    return "" if not any(packed) else socket.inet_ntop(family, packed)


def _read(name: str) -> str:
    try:
        return (_NET / name).read_text(encoding="ascii")
    except OSError:
        return ""
