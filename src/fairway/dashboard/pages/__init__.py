"""The routes, a module for each page: HTML for people, JSON under ``/api`` for programs."""

from __future__ import annotations

from fairway.dashboard.pages import (
    actions,
    approvals,
    backups,
    deployment,
    environments,
    events,
    history,
    overview,
    releases,
)

ROUTERS = (
    overview.router,
    environments.router,
    releases.router,
    approvals.router,
    deployment.router,
    actions.router,
    history.router,
    backups.router,
    events.router,
)
