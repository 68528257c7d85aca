"""Tell the proxy which containers Docker calls healthy, five times a second: the part of Traefik or nginx-proxy."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

PROJECT = sys.argv[1]
SERVERS = ("s1", "s2", "s3", "s4")
FILTERS = (f"label=com.docker.compose.project={PROJECT}", "label=com.docker.compose.service=app", "health=healthy")


def healthy() -> list[str]:
    """Return the addresses of the healthy containers."""
    listed = subprocess.run(
        ["docker", "ps", "--quiet", *(f"--filter={each}" for each in FILTERS)], capture_output=True, text=True
    ).stdout.split()
    if not listed:
        return []
    found = json.loads(subprocess.run(["docker", "inspect", *listed], capture_output=True, text=True).stdout or "[]")
    return [network["IPAddress"] for each in found for network in each["NetworkSettings"]["Networks"].values()]


def tell(command: str) -> None:
    """Send the proxy one command."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("proxy/run/admin.sock")
        connection.sendall(command.encode() + b"\n")
        connection.recv(4096)


places: dict[str, str] = {}
while True:
    try:
        now = healthy()
        for address in [known for known in places if known not in now]:
            tell(f"set server app/{places.pop(address)} state maint")
        for address in now:
            if address not in places:
                place = next(server for server in SERVERS if server not in places.values())
                tell(f"set server app/{place} addr {address} port 3000")
                tell(f"set server app/{place} state ready")
                places[address] = place
    except (OSError, ValueError):
        places.clear()
    time.sleep(0.2)
