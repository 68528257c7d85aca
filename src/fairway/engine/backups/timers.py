"""What starts backups and drills by themselves: systemd timers, or a file for cron, as text.

Installed by an administrator together with the unit that recovers the host; see
:mod:`fairway.engine.unit`. Sources: systemd.timer(5), systemd.service(5), crontab(5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.backups.schedule import Schedule
from fairway.engine.backups.upkeep import Tool
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.sandbox import sandbox

#: Where root keeps, for drills, the key that opens the encrypted backups of a host.
KEYS = Path("/etc/fairway")
#: By which name systemd hands it to the service.
CREDENTIAL = "drill-identity"


@dataclass(frozen=True)
class Timed:
    """Something that is done on a schedule: ``fairway-engine scheduled <what>``."""

    what: str
    schedule: Schedule
    description: str


#: Everything that may ever be timed, so that what is not any more can be found.
EVER_TIMED = ("backup", "drill")


def timed(host: HostConfig) -> tuple[Timed, ...]:
    """Return what this host does on a schedule."""
    whole = f"{host.project} ({host.environment})"
    found = []
    if host.upkeep.schedule is not None:
        found.append(Timed("backup", host.upkeep.schedule, f"back up the database of {whole}"))
    if host.upkeep.drill is not None:
        found.append(Timed("drill", host.upkeep.drill, f"try the latest backup of {whole}"))
    return tuple(found)


def base_name(host: HostConfig, what: str) -> str:
    """Return the name of a timer and of its service, without their endings."""
    return f"fairway-{host.project}-{host.environment}-{what}"


def cron_name(host: HostConfig) -> str:
    """Return the name of this host's file in ``/etc/cron.d``, which must be without a dot."""
    return f"fairway-{host.project}-{host.environment}"


def key_file(host: HostConfig) -> Path:
    """Return where root may put a key for the drills of encrypted backups."""
    return KEYS / f"{host.project}-{host.environment}-drill.key"


def unit_files(
    layout: Layout, host: HostConfig, *, user: str, home: Path, python: str, with_key: bool
) -> Mapping[str, str]:
    """Return the timers and services by their file names.

    ``with_key`` says that there is a key of root's for the drill: systemd, which may read
    it, hands it to the service, whose user may not.
    """
    writable = _copied_to(host, home)
    files = {}
    for one in timed(host):
        name = base_name(host, one.what)
        key = f"LoadCredential={CREDENTIAL}:{key_file(host)}\n" if with_key and one.what == "drill" else ""
        files[f"{name}.service"] = f"""\
# Written by Fairway: fairway bootstrap {host.environment}
[Unit]
Description=Fairway: {one.description}
Wants=docker.service network-online.target
After=docker.service network-online.target
RequiresMountsFor={layout.deploy_path}

[Service]
Type=oneshot
User={user}
ExecStart={_command(layout, python, one.what)}
{key}TimeoutStartSec=12h
Nice=10
IOSchedulingClass=idle
{sandbox([layout.deploy_path, *writable])}
"""
        files[f"{name}.timer"] = f"""\
# Written by Fairway: fairway bootstrap {host.environment}
[Unit]
Description=Fairway: {one.description}

[Timer]
OnCalendar={one.schedule.calendar}
# What was due while the host was off is done when it is back.
Persistent=yes

[Install]
WantedBy=timers.target
"""
    return files


def cron_file(layout: Layout, host: HostConfig, *, user: str, python: str, also: Sequence[str] = ()) -> str:
    """Return the file for ``/etc/cron.d`` on a host without systemd; empty when nothing is timed.

    ``also`` are lines for what else is to be done.
    """
    lines = [
        # What it has to say is in its ledger; cron would mail it.
        f"{one.schedule.cron} {user} {_command(layout, python, one.what)} >/dev/null 2>&1\n"
        for one in timed(host)
    ] + list(also)
    if not lines:
        return ""
    head = f"# Written by Fairway: fairway bootstrap {host.environment}\n"
    return "".join([head, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", *lines])


def _copied_to(host: HostConfig, home: Path) -> list[Path]:
    """Return what the tool that makes copies writes outside the deploy path."""
    offsite = host.upkeep.offsite
    if offsite is None:
        return []
    # rclone renews the tokens in its configuration.
    settings = [home / ".config" / "rclone"] if offsite.tool is Tool.RCLONE else []
    plain = re.fullmatch(r"/[A-Za-z0-9._/-]+", offsite.target)
    return [*([Path(offsite.target)] if plain else []), *settings]


def _command(layout: Layout, python: str, what: str) -> str:
    return f"{python} -I {layout.engines}/current scheduled {what}"
