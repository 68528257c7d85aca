"""What is done each minute: a systemd timer with its service, or a line for cron, as text.

Sources: systemd.timer(5), systemd.service(5), crontab(5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.sandbox import sandbox


@dataclass(frozen=True)
class Minutely:
    """Something that the engine does each minute.

    ``arguments`` are the engine's. ``limits`` are lines of the service, ``spread`` of the
    timer; ``writable`` is what it writes besides the deploy path.
    """

    about: str
    arguments: str
    limits: str
    spread: str
    writable: tuple[Path, ...] = ()

    def unit_files(self, layout: Layout, host: HostConfig, *, name: str, user: str, python: str) -> Mapping[str, str]:
        """Return the timer and its service by their file names."""
        head = f"# Written by Fairway: fairway bootstrap {host.environment}\n"
        return {
            f"{name}.service": f"""\
{head}[Unit]
Description={self.about}
RequiresMountsFor={layout.deploy_path}

[Service]
Type=oneshot
User={user}
ExecStart={self._command(layout, python)}
{self.limits}
{sandbox([layout.deploy_path, *self.writable])}
""",
            f"{name}.timer": f"""\
{head}[Unit]
Description={self.about}

[Timer]
OnCalendar=*-*-* *:*:00
{self.spread}
AccuracySec=1s

[Install]
WantedBy=timers.target
""",
        }

    def cron_line(self, layout: Layout, *, user: str, python: str) -> str:
        """Return the line for ``/etc/cron.d``."""
        return f"* * * * * {user} {self._command(layout, python)} >/dev/null 2>&1\n"

    def _command(self, layout: Layout, python: str) -> str:
        return f"{python} -I {layout.engines}/current {self.arguments}"
