"""The routes, a module for each page: HTML for people, JSON under ``/api`` for programs."""

from __future__ import annotations

from fairway.dashboard.pages import approvals, events, overview, releases

ROUTERS = (overview.router, releases.router, approvals.router, events.router)
