"""The systemd unit that recovers this host at boot: rendered here, installed by an administrator.

Sources: systemd.unit(5), systemd.service(5), systemd.exec(5).
"""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from pathlib import Path

from fairway.engine import docker
from fairway.engine.contract.errors import Failed, FairwayError, Refused
from fairway.engine.files import write_atomically
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ownership import deploy_owner
from fairway.engine.process import Completed, run

UNITS = Path("/etc/systemd/system")
_RUNNING = Path("/run/systemd/system")


def unit_name(host: HostConfig) -> str:
    """Return the unit's name: one for each project and environment on a host."""
    return f"fairway-{host.project}-{host.environment}.service"


def render(layout: Layout, host: HostConfig, *, user: str, python: str) -> str:
    """Return the unit's text.

    It stays active after it has done its work, so that the process that waits to stop
    a warm slot, which it starts, is not ended with it.
    """
    path = layout.deploy_path
    return f"""\
# Written by Fairway: fairway bootstrap {host.environment}
[Unit]
Description=Fairway: recover {host.project} ({host.environment}) after a boot
Wants=docker.service network-online.target
After=docker.service network-online.target
RequiresMountsFor={path}

[Service]
Type=oneshot
RemainAfterExit=yes
User={user}
ExecStart={python} -I {layout.engines}/current recover
TimeoutStartSec=30min
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths={path}
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
LockPersonality=yes

[Install]
WantedBy=multi-user.target
"""


def install(layout: Layout, host: HostConfig) -> str:
    """Write the unit and enable it; return a line about it. Raises ``Refused`` without systemd or the right."""
    if not _RUNNING.is_dir():
        raise Refused("this host does not run systemd", hint="the next Fairway command recovers instead")
    name = unit_name(host)
    try:
        write_atomically(UNITS / name, _wanted(layout, host).encode(), mode=0o644)
    except PermissionError:
        raise Refused(f"{UNITS / name} cannot be written by this user", hint=f"as root: {_command(layout)}") from None
    for argv in (["systemctl", "daemon-reload"], ["systemctl", "enable", name]):
        done = _run(argv)
        if done.returncode != 0:
            raise Failed(f"{' '.join(argv)} failed", why=done.stderr.strip()[-300:])
    return f"{name} is enabled"


def offer(layout: Layout, host: HostConfig) -> str:
    """Install the unit if this user may without a password; return what is left to say, nothing when it is there."""
    if not _RUNNING.is_dir():
        return "this host does not run systemd: after a reboot the next Fairway command recovers what was interrupted"
    if _missing(layout, host) is None:
        return ""
    if os.geteuid() == 0:
        install(layout, host)
        return ""
    try:
        done = _run(["sudo", "-n", *shlex.split(_command(layout).partition(" ")[2])])
    except FairwayError:
        done = Completed(1, "", "")  # there is no sudo
    if done.returncode == 0 and _missing(layout, host) is None:
        return ""
    return f"to have this host recover by itself after a reboot, an administrator runs on it: {_command(layout)}"


def describe(layout: Layout, host: HostConfig) -> str:
    """Say whether this host recovers by itself, and what to do when it does not."""
    if not _RUNNING.is_dir():
        return "no systemd here: after a reboot the next command recovers"
    missing = _missing(layout, host)
    if missing is None:
        return f"{unit_name(host)} is enabled"
    return f"{missing}: after a reboot the next command recovers; to have it at boot: {_command(layout)}"


def _missing(layout: Layout, host: HostConfig) -> str | None:
    """Return what is missing of the unit, or None when it is as it should be."""
    name = unit_name(host)
    try:
        there = (UNITS / name).read_text(encoding="utf-8")
    except OSError:
        return f"{name} is not installed"
    if there != _wanted(layout, host):
        return f"{name} is another engine's"
    if _run(["systemctl", "is-enabled", name]).returncode != 0:
        return f"{name} is not enabled"
    return None


def _wanted(layout: Layout, host: HostConfig) -> str:
    owner = deploy_owner(layout).st_uid
    try:
        user = pwd.getpwuid(owner).pw_name
    except KeyError:
        user = str(owner)
    return render(layout, host, user=user, python=_python())


def _python() -> str:
    """Return python3 by the path that outlives an upgrade of it."""
    usual = Path("/usr/bin/python3")
    return str(usual) if usual.exists() else sys.executable


def _command(layout: Layout) -> str:
    return f"sudo {_python()} -I {layout.engines}/current install-unit"


def _run(argv: list[str]) -> Completed:
    return run(argv, env=docker.environment(Path("/nonexistent")), timeout_s=60)
