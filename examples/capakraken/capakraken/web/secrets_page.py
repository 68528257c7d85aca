"""The administrator's page about secrets: where each comes from, and the clearing of leftovers."""

from __future__ import annotations

import os

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from capakraken.auth import Role
from capakraken.runtime_secrets import NotCleared, clear_leftover, find_leftovers, statuses, wanted_key
from capakraken.web.common import current_user, page, services, to_sign_in


async def secrets_page(request: Request) -> Response:
    """Show the source and status of each secret, never a value."""
    user = current_user(request)
    if user is None:
        return to_sign_in()
    if user.role is not Role.ADMIN:
        return JSONResponse({"error": "only an administrator sees this"}, status_code=403)
    left_over = await find_leftovers(services(request).engine)
    return page(request, "secrets.html", secrets=statuses(os.environ, left_over))


async def clear_secret(request: Request) -> Response:
    """Clear one leftover, by name. Refuses a request that brings anything else along, such as a value."""
    user = current_user(request)
    if user is None:
        return JSONResponse({"error": "sign in first"}, status_code=401)
    if user.role is not Role.ADMIN:
        return JSONResponse({"error": "only an administrator may clear"}, status_code=403)
    try:
        key = wanted_key({**request.query_params, **await request.form()})
    except NotCleared as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    await clear_leftover(services(request).engine, key)
    return RedirectResponse("/admin/secrets", status_code=303)
