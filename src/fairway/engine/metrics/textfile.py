"""Where node_exporter finds this host's figures, and what writes them there: text, and one write.

Sources: node_exporter, "Textfile Collector"; systemd.timer(5), crontab(5).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fairway.engine.files import write_atomically
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.sandbox import sandbox

#: How its units are called after the project and the environment.
WHAT = "metrics"


def file_of(host: HostConfig) -> Path | None:
    """Return the file that is written each minute, None where none is wanted."""
    return Path(host.textfile) / f"fairway-{host.project}-{host.environment}.prom" if host.textfile else None


def write(path: Path, text: str) -> None:
    """Put the figures there in one piece, for node_exporter's user to read. Raises ``OSError``."""
    write_atomically(path, text.encode(), mode=0o644)


def command(layout: Layout, python: str) -> str:
    """Return what writes the file."""
    return f"{python} -I {layout.engines}/current metrics --write"


def unit_files(layout: Layout, host: HostConfig, *, name: str, user: str, python: str) -> Mapping[str, str]:
    """Return the timer and its service by their file names; nothing where no file is wanted."""
    if host.textfile is None:
        return {}
    about = f"Fairway: figures of {host.project} ({host.environment}) for Prometheus"
    head = f"# Written by Fairway: fairway bootstrap {host.environment}\n"
    return {
        f"{name}.service": f"""\
{head}[Unit]
Description={about}
RequiresMountsFor={layout.deploy_path}

[Service]
Type=oneshot
User={user}
ExecStart={command(layout, python)}
TimeoutStartSec=50s
Nice=10
IOSchedulingClass=idle
{sandbox([layout.deploy_path, Path(host.textfile)])}
""",
        f"{name}.timer": f"""\
{head}[Unit]
Description={about}

[Timer]
OnCalendar=*-*-* *:*:00
# Hosts do not all ask their disks in the same second.
RandomizedDelaySec=10s
AccuracySec=1s

[Install]
WantedBy=timers.target
""",
    }


def cron_lines(layout: Layout, host: HostConfig, *, user: str, python: str) -> list[str]:
    """Return the lines for ``/etc/cron.d``."""
    if host.textfile is None:
        return []
    return [f"* * * * * {user} {command(layout, python)} >/dev/null 2>&1\n"]
