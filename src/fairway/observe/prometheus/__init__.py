"""What Prometheus and Grafana are given: rules, a dashboard, whom to ask."""

from __future__ import annotations

from fairway.observe.prometheus.files import blackbox, dashboard, rules, scrape

__all__ = ["blackbox", "dashboard", "rules", "scrape"]
