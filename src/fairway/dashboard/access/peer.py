"""Which user of this machine is at the other end of a connection on the loopback.

A browser sends its cookies to every port of ``127.0.0.1``, so that another user who gets
its owner to open a page of theirs has them. They are still another user: Linux says so of
each connection. Source: proc(5), ``/proc/net/tcp`` and ``tcp6``.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

# How a program that knows IPv6 only writes an address of IPv4, four bytes at a time.
_MAPPED = f"{0:016X}{struct.unpack('=I', bytes((0, 0, 255, 255)))[0]:08X}"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def is_somebody_else(client: tuple[str, int], server: tuple[str, int], tables: Iterable[Path] = _TABLES) -> bool:
    """Say whether a connection is known to be another user's; where the system does not say whose it is, it is not.

    Root may be anybody's relay, and can do everything anyway.
    """
    local, remote = _written(client), _written(server)
    told = False
    for table in tables:
        try:
            lines = table.read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        told = True
        for line in lines[1:]:
            fields = line.split()
            if [field.removeprefix(_MAPPED) for field in fields[1:3]] == [local, remote]:
                # One that its program has closed already belongs to nobody any more, and says 0.
                return int(fields[7]) not in _welcome() or int(fields[9]) == 0
    return told


def _welcome() -> set[int]:
    """Return the users that count as the one who has started this."""
    found = {0, os.getuid()}
    if os.getuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        found.add(int(os.environ["SUDO_UID"]))
    return found


def _written(address: tuple[str, int]) -> str:
    """Return an address as the table has it: the four bytes as a number of this machine's own order."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"
