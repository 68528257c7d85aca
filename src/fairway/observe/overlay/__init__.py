"""A Compose project beside the application: Prometheus, Alertmanager, the exporters and Grafana, ready to start."""

from __future__ import annotations

from fairway.observe.overlay.files import File, Owner, Written, files, write
from fairway.observe.overlay.plan import Door, Overlay, Pace, plan

__all__ = ["Door", "File", "Overlay", "Owner", "Pace", "Written", "files", "plan", "write"]
