"""``python -m testbed up | down [NAME] | demo | clean``: see ``make help``."""

from __future__ import annotations

import shutil
import sys
import time

from testbed import certificates, images
from testbed.bed import Testbed
from testbed.docker import STATE, remove
from testbed.process import TestbedError

DEV = "dev"


def up() -> None:
    """Leave a bed running to develop with; a running one is kept."""
    images.prepare()
    try:
        bed = Testbed.attach(DEV)
    except TestbedError:
        started = time.monotonic()
        bed = Testbed(DEV)
        try:
            bed.start()
        except BaseException:
            bed.stop()
            raise
        print(f"testbed up ({time.monotonic() - started:.1f} s)")
    print(f"registry    {bed.registry.address}  (docker: DOCKER_CONFIG={bed.docker_config})")
    for host in bed.hosts.values():
        print(f"{host.name:<11} {host.address}  (ssh -F {bed.ssh_config} {host.name})")
    print("tests use it with FAIRWAY_TESTBED=dev; python -m testbed down removes it")


def down(name: str = DEV) -> None:
    """Remove a bed."""
    Testbed.remove(name)
    print(f"testbed {name} removed")


def clean() -> None:
    """Remove everything the testbed ever made on this machine, images included."""
    for name in [*remove(), *images.remove_all()]:
        print(f"removed {name}")
    for registry in certificates.trusted():
        certificates.distrust(registry)
        print(f"removed {certificates.CERTS_D / registry}")
    shutil.rmtree(STATE / "beds", ignore_errors=True)


def demo() -> None:
    """Show the whole way of a release."""
    from testbed.demo import main

    main()


def main(arguments: list[str]) -> None:
    """Run one command."""
    commands = {"up": up, "down": down, "demo": demo, "clean": clean}
    if not arguments or arguments[0] not in commands or len(arguments) > (2 if arguments[0] == "down" else 1):
        sys.exit("usage: python -m testbed up | down [NAME] | demo | clean")
    try:
        commands[arguments[0]](*arguments[1:])
    except TestbedError as error:
        sys.exit(f"fairway-dev: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
