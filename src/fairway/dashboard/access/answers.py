"""What somebody is shown who is not let in."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from fairway.dashboard.rendering import page


def refusal(request: Request, status_code: int, what: str, hint: str = "", *, way_in: str = "") -> Response:
    """Return an answer that says why, in the form that was asked for; it tells nothing of the project."""
    answer: Response
    if request.scope["path"].startswith("/api/"):
        answer = JSONResponse({"error": {"what": what, "why": "", "hint": hint}}, status_code)
    else:
        answer = page(request, "door.html", status_code=status_code, what=what, hint=hint, way_in=way_in)
    if status_code == 401:
        # A part of a page that is open: the page as a whole is to be loaded again, and shows the way in.
        answer.headers["HX-Refresh"] = "true"
    return answer
