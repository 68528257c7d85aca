"""Who is let in: never anybody by default.

:mod:`own` is for the person at the laptop; :mod:`oidc` and :mod:`header` are for a team,
behind a host's nginx. :mod:`guard` stands before every request, whichever it is.
"""

from __future__ import annotations

from fairway.dashboard.access.guard import Guard
from fairway.dashboard.access.own import OwnAccess
from fairway.dashboard.access.people import Access, Admitted, Person

__all__ = ["Access", "Admitted", "Guard", "OwnAccess", "Person"]
