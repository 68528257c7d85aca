"""What starts a look each minute: a systemd timer, or a line for cron, as text.

Sources: systemd.timer(5), systemd.service(5), crontab(5).
"""

from __future__ import annotations

from collections.abc import Mapping

from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.sandbox import sandbox

#: How its units are called after the project and the environment.
WHAT = "look"


def command(layout: Layout, python: str) -> str:
    """Return what looks."""
    return f"{python} -I {layout.engines}/current scheduled look"


def unit_files(layout: Layout, host: HostConfig, *, name: str, user: str, python: str) -> Mapping[str, str]:
    """Return the timer and its service by their file names; nothing where nothing is watched."""
    if not host.watch:
        return {}
    about = f"Fairway: whether visitors of {host.project} ({host.environment}) are served"
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
# Docker may take its time to say what runs; what was seen of the doors is written and told by then.
TimeoutStartSec=2min
# A receiver that takes its time keeps no look from beginning: who tells goes on by itself.
KillMode=process
Nice=5
{sandbox([layout.deploy_path])}
""",
        f"{name}.timer": f"""\
{head}[Unit]
Description={about}

[Timer]
OnCalendar=*-*-* *:*:00
# Hosts do not all ask in the same second.
RandomizedDelaySec=5s
AccuracySec=1s

[Install]
WantedBy=timers.target
""",
    }


def cron_lines(layout: Layout, host: HostConfig, *, user: str, python: str) -> list[str]:
    """Return the lines for ``/etc/cron.d``."""
    if not host.watch:
        return []
    return [f"* * * * * {user} {command(layout, python)} >/dev/null 2>&1\n"]
