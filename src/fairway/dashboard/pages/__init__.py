"""The routes, a module for each page: HTML for people, JSON under ``/api`` for programs."""

from __future__ import annotations

from fairway.dashboard.pages import approvals, backups, environments, events, history, overview, releases

ROUTERS = (
    overview.router,
    environments.router,
    releases.router,
    approvals.router,
    history.router,
    backups.router,
    events.router,
)
