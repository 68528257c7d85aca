"""The demonstration: a release on its way, with the real commands."""

from __future__ import annotations

import time

from testbed import images
from testbed.bed import Testbed


def main() -> None:
    """Start a bed and say where everything is."""
    images.prepare()
    started = time.monotonic()
    with Testbed() as bed:
        print(f"testbed up ({time.monotonic() - started:.1f} s)")
        print(f"registry    {bed.registry.address}")
        for host in bed.hosts.values():
            print(f"{host.name:<11} {host.address}")
