"""Where node_exporter finds this host's figures, and what writes them there each minute.

Source: node_exporter, "Textfile Collector".
"""

from __future__ import annotations

from pathlib import Path

from fairway.engine.files import write_atomically
from fairway.engine.hostconfig import HostConfig
from fairway.engine.minutely import Minutely

#: How its units are called after the project and the environment.
WHAT = "metrics"
_LIMITS = """\
TimeoutStartSec=50s
Nice=10
IOSchedulingClass=idle"""
_SPREAD = """\
# Hosts do not all ask their disks in the same second.
RandomizedDelaySec=10s"""


def file_of(host: HostConfig) -> Path | None:
    """Return the file that is written each minute, None where none is wanted."""
    return Path(host.textfile) / f"fairway-{host.project}-{host.environment}.prom" if host.textfile else None


def write(path: Path, text: str) -> None:
    """Put the figures there in one piece, for node_exporter's user to read. Raises ``OSError``."""
    write_atomically(path, text.encode(), mode=0o644)


def minutely(host: HostConfig) -> Minutely | None:
    """Return what writes the file; None where none is wanted."""
    if host.textfile is None:
        return None
    about = f"Fairway: figures of {host.project} ({host.environment}) for Prometheus"
    return Minutely(about, "metrics --write", _LIMITS, _SPREAD, (Path(host.textfile),))
