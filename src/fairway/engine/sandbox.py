"""What a systemd service of Fairway's may do: as little as an engine of the deploy user needs.

Source: systemd.exec(5).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def sandbox(writable: Iterable[Path]) -> str:
    """Return the lines of a ``[Service]`` that shut it in; what it writes lies below ``writable``.

    A path that is not there is passed over, all but the first: without the deploy path
    there is nothing to do.
    """
    first, *others = writable
    paths = " ".join([str(first), *(f"-{path}" for path in others)])
    return f"""\
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths={paths}
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes"""
