"""What Prometheus and Grafana are given: rules, a dashboard, whom to ask."""

from __future__ import annotations

from fairway.observe.prometheus.files import (
    as_yaml,
    blackbox,
    blackbox_job,
    dashboard,
    front_door,
    node_address,
    node_job,
    rules,
    scrape,
)

__all__ = [
    "as_yaml",
    "blackbox",
    "blackbox_job",
    "dashboard",
    "front_door",
    "node_address",
    "node_job",
    "rules",
    "scrape",
]
