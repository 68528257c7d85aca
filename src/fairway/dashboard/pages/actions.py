"""Begin a deployment from a page: the plan first, then the very command that a person would type."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from fairway.dashboard.access import Person
from fairway.dashboard.commands import DEPLOYMENT, Action, cancel_of, plan_of, start_of
from fairway.dashboard.desk import Desk, DeskOf, PersonOf
from fairway.dashboard.rendering import page
from fairway.dashboard.starting import CANCEL, Run
from fairway.dashboard.views.plan import PlanView, plan_view, refuse_stale, serving_of
from fairway.dashboard.views.run import RunView, run_view
from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.names import Tag
from fairway.engine.contract.protocol import Operation

router = APIRouter()
_NEWEST_TAGS = 8


@router.get("/actions/{environment}/{action}", include_in_schema=False)
def plan(
    environment: str, action: Action, request: Request, desk: DeskOf, person: PersonOf, tag: str = ""
) -> HTMLResponse:
    """Show what it would do, with a button that begins it; without a release, ask for one."""
    _refuse_onlooker(person)
    desk.sight(environment)
    if action.needs_tag and not tag:
        return page(
            request, "choose.html", environment=environment, action=action.value, tags=_tags(desk, environment, action)
        )
    view = _plan(desk, environment, action, tag)
    return page(request, "plan.html", view=view, ticket=secrets.token_urlsafe(24))


@router.get("/api/plans/{environment}/{action}", tags=["actions"])
def plan_as_json(environment: str, action: Action, desk: DeskOf, person: PersonOf, tag: str = "") -> PlanView:
    """What a deployment, promotion, rollback or restart would do. For the person whose dashboard it is."""
    _refuse_onlooker(person)
    desk.sight(environment)
    if action.needs_tag and not tag:
        raise Invalid("which release?", hint="?tag=sha-<commit>")
    return _plan(desk, environment, action, tag)


@router.post("/actions/{environment}/cancel", include_in_schema=False)
def cancel(
    environment: str,
    desk: DeskOf,
    person: PersonOf,
    deployment: Annotated[str, Form(max_length=40)],
    ticket: Annotated[str, Form(max_length=64)],
) -> Response:
    """Have the deployment that runs reverted."""
    _refuse_onlooker(person)
    desk.sight(environment)
    if not DEPLOYMENT.fullmatch(deployment):
        raise Invalid("there is no such deployment")
    with desk.reach.engine(environment) as engine:
        status = engine.call(Operation.STATUS)
    running = status.get("deployment")
    if not isinstance(running, dict) or running.get("id") != deployment:
        raise Refused(f"that deployment does not run on {environment} any more", hint="see how it has ended")
    desk.runs.start(ticket, environment, CANCEL, "", cancel_of(environment), about=deployment)
    return RedirectResponse(f"/deployments/{environment}/{deployment}", status_code=303)


@router.post("/actions/{environment}/{action}", include_in_schema=False)
def start(
    environment: str,
    action: Action,
    desk: DeskOf,
    person: PersonOf,
    ticket: Annotated[str, Form(max_length=64)],
    tag: Annotated[str, Form(max_length=80)],
    serving: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """Begin what the plan was about, unless something else serves by now."""
    _refuse_onlooker(person)
    desk.sight(environment)
    checked = Tag(tag)
    if desk.runs.get(ticket) is None:
        with desk.reach.engine(environment) as engine:
            refuse_stale(serving, serving_of(engine.call(Operation.STATUS)))
    run = desk.runs.start(ticket, environment, action.value, checked, start_of(action, environment, checked))
    desk.observers.each[environment].look_now()
    return RedirectResponse(f"/runs/{run.ticket}", status_code=303)


@router.get("/runs/{ticket}", include_in_schema=False)
def show_run(ticket: str, request: Request, desk: DeskOf, person: PersonOf) -> Response:
    """Show what was begun until the host has taken it on, and go to its deployment then."""
    _refuse_onlooker(person)
    run = _begun(desk, ticket)
    if run.deployment:
        return RedirectResponse(f"/deployments/{run.environment}/{run.deployment}", status_code=303)
    return page(request, "run.html", run=run)


@router.get("/api/runs/{ticket}", tags=["actions"])
def run_as_json(ticket: str, desk: DeskOf, person: PersonOf) -> RunView:
    """What became of a command that was begun here. For the person whose dashboard it is."""
    _refuse_onlooker(person)
    return run_view(_begun(desk, ticket))


@router.get("/parts/runs/{ticket}", include_in_schema=False)
def run_part(ticket: str, request: Request, desk: DeskOf, person: PersonOf) -> Response:
    """Return how far it is, for a page that is open."""
    _refuse_onlooker(person)
    run = desk.runs.get(ticket)
    if run is None or run.deployment:
        return Response(headers={"HX-Redirect": f"/runs/{ticket}"})
    return page(request, "parts/run.html", run=run)


def _begun(desk: Desk, ticket: str) -> Run:
    run = desk.runs.get(ticket)
    if run is None:
        raise Invalid("this was not begun here, or too long ago", hint="the environment's page shows what runs")
    return run


def _plan(desk: Desk, environment: str, action: Action, tag: str) -> PlanView:
    checked = Tag(tag.strip()) if tag.strip() and action is not Action.RESTART else None
    with desk.reach.engine(environment) as engine:
        status = engine.call(Operation.STATUS)
    answer = desk.reach.command.ask(plan_of(action, environment, checked), desk.config.root)
    return plan_view(action, environment, checked, status, answer)


def _tags(desk: Desk, environment: str, action: Action) -> list[str]:
    """Return the releases that are likely meant: what serves before it, or else the newest on record anywhere."""
    source = desk.config.environments[environment].promote_from
    found: list[str] = []
    if action is Action.PROMOTE and source is not None:
        found.append(serving_of(desk.sight(source).status or {}))
        found.extend(str(one.get("tag")) for one in reversed(desk.sight(source).entries[-_NEWEST_TAGS:]))
    else:
        for name in desk.names:
            found.extend(str(one.get("tag")) for one in reversed(desk.sight(name).entries[-_NEWEST_TAGS:]))
    return [tag for tag in dict.fromkeys(found) if tag.startswith("sha-")][:_NEWEST_TAGS]


def _refuse_onlooker(person: Person) -> None:
    if not person.acts:
        raise HTTPException(
            403, "this dashboard shows, and begins nothing: run fairway ui on your own machine for that"
        )
