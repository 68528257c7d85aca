"""The routes, a module for each page: HTML for people, JSON under ``/api`` for programs."""

from __future__ import annotations

from fairway.dashboard.pages import backups, environments, events, history, overview

ROUTERS = (overview.router, environments.router, history.router, backups.router, events.router)
