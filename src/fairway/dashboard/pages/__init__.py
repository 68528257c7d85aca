"""The routes, a module for each page: HTML for people, JSON under ``/api`` for programs."""

from __future__ import annotations

from fairway.dashboard.pages import actions, deployment, events, overview

ROUTERS = (overview.router, events.router, deployment.router, actions.router)
