"""Which addresses the testbed uses: a small network of its own for each bed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from testbed.process import TestbedError

Network = ipaddress.IPv4Network
Address = ipaddress.IPv4Address

# In this order; the later ones are for machines with a route to the earlier ones.
POOLS = (Network("10.231.0.0/16"), Network("172.30.0.0/16"), Network("192.168.240.0/20"))
REGISTRY_PORT = 5000


def candidates() -> Iterator[Network]:
    """Yield networks for a bed, best first, that this machine has no route to yet."""
    routes = _routes()
    for pool in POOLS:
        for subnet in pool.subnets(new_prefix=24):
            if not any(subnet.overlaps(route) for route in routes):
                yield subnet


def _routes() -> list[Network]:
    """Return what this machine routes somewhere, without the default route."""
    try:
        lines = Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
    routes = []
    for line in lines:
        fields = line.split()
        # Both are hexadecimal in the processor's byte order.
        destination, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
        if mask:
            routes.append(Network((destination, bin(mask).count("1")), strict=False))
    return routes


def require_testbed_address(url: str) -> None:
    """Refuse a URL that is neither on the loopback nor in a testbed's network. Raises ``TestbedError``."""
    host = urlsplit(url).hostname or ""
    try:
        address = Address(host)
    except ValueError:
        raise TestbedError(f"load goes to addresses of the testbed only, not to {host!r}") from None
    if not address.is_loopback and not any(address in pool for pool in POOLS):
        raise TestbedError(f"load goes to addresses of the testbed only, not to {host}")
