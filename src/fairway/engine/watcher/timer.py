"""The look that is taken each minute."""

from __future__ import annotations

from fairway.engine.hostconfig import HostConfig
from fairway.engine.minutely import Minutely

#: How its units are called after the project and the environment.
WHAT = "look"
_LIMITS = """\
# Docker may take its time to say what runs; what was seen of the doors is written and told by then.
TimeoutStartSec=2min
# A receiver that takes its time keeps no look from beginning: who tells goes on by itself.
KillMode=process
Nice=5"""
_SPREAD = """\
# Hosts do not all ask in the same second.
RandomizedDelaySec=5s"""


def minutely(host: HostConfig) -> Minutely | None:
    """Return the look; None where nothing is watched."""
    if not host.watch:
        return None
    about = f"Fairway: whether visitors of {host.project} ({host.environment}) are served"
    return Minutely(about, "scheduled look", _LIMITS, _SPREAD)
