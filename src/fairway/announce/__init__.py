"""Tell other services that a deployment begins, and how it ended: GitHub, a tracing backend.

What is told, and to whom, is decided by this process's environment; without any of
it nothing is imported, started or asked. Telling is never a reason for a deployment to
fail, or to wait: it goes on in threads beside it, within limits, and what could not be
told is one notice on the screen.
"""

from fairway.announce.model import Announcer, Deployment, Ending, Kind
from fairway.announce.table import FOLLOWING, announcements, tell_of_release
from fairway.announce.telling import Announcements

__all__ = [
    "FOLLOWING",
    "Announcements",
    "Announcer",
    "Deployment",
    "Ending",
    "Kind",
    "announcements",
    "tell_of_release",
]
