"""The timeline, sign-in and sign-out."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from capakraken.auth import Role, User, check_password
from capakraken.planning import BadAllocation, allocate, parse_hours, read_timeline, week_of
from capakraken.schema import users
from capakraken.sse.event_bus import Event
from capakraken.web.common import COOKIE, current_user, page, services, sign_in, to_sign_in


async def timeline(request: Request) -> Response:
    """Show the plan."""
    if current_user(request) is None:
        return to_sign_in()
    plan = await read_timeline(services(request).engine, week_of(datetime.now(UTC).date()))
    return page(request, "timeline.html", plan=plan)


async def plan_hours(request: Request) -> Response:
    """Change one allocation and tell the project's members."""
    user = current_user(request)
    if user is None:
        return JSONResponse({"error": "sign in first"}, status_code=401)
    if not user.role.may_plan:
        return JSONResponse({"error": "a viewer cannot change the plan"}, status_code=403)
    form = await request.form()
    try:
        person, project = int(str(form["person"])), int(str(form["project"]))
        week, hours = date.fromisoformat(str(form["week"])), parse_hours(str(form["hours"]))
    except (KeyError, ValueError) as error:
        return JSONResponse({"error": f"not an allocation: {error}"}, status_code=400)
    except BadAllocation as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    here = services(request)
    followers = await allocate(here.engine, person, project, week, hours)
    data = {"person": person, "project": project, "week": week_of(week).isoformat(), "hours": str(hours)}
    await here.bus.publish(followers, Event("allocation", data))
    return JSONResponse(data)


async def sign_in_page(request: Request) -> Response:
    """Ask who it is, and check it."""
    if request.method == "GET":
        return page(request, "sign_in.html", problem="")
    form = await request.form()
    email, password = str(form.get("email", "")), str(form.get("password", ""))
    async with services(request).engine.connect() as connection:
        row = (await connection.execute(select(users).where(users.c.email == email.lower()))).one_or_none()
    # The hash takes a while on purpose: not in the loop that serves everyone else.
    if row is None or not await run_in_threadpool(check_password, password, row.password_hash):
        return page(request, "sign_in.html", problem="That is not a known e-mail and password.", status=401)
    response = RedirectResponse("/", status_code=303)
    sign_in(request, response, User(row.id, row.email, Role(row.role)))
    return response


async def sign_out(request: Request) -> Response:
    """End the session."""
    response = to_sign_in()
    response.delete_cookie(COOKIE)
    return response
