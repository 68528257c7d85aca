"""The releases: all of them by environment, and each by itself."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from time import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from fairway.dashboard.archive import Holding
from fairway.dashboard.desk import Desk, DeskOf
from fairway.dashboard.rendering import page
from fairway.dashboard.views import matrix as matrices
from fairway.dashboard.views import release as releases
from fairway.dashboard.views.matrix import Matrix
from fairway.dashboard.views.release import ReleasePage
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.statement import Signed
from fairway.evidence.collect import in_a_line
from fairway.evidence.review import review_serving
from fairway.observe.timeline import Event
from fairway.release.git import subjects

router = APIRouter()
PageNumber = Annotated[int, Query(ge=1, le=10_000, alias="page")]
Seen = Annotated[str, Query(max_length=16)]
Against = Annotated[str, Query(max_length=60, description="The environment whose serving release it is compared with.")]


@router.get("/releases", include_in_schema=False)
def show(request: Request, desk: DeskOf, number: PageNumber = 1) -> HTMLResponse:
    """Show the releases."""
    found = _matrix(desk, number)
    return page(request, "releases.html", found=found, mark=mark_of(replace(found, read_at=None)))


@router.get("/parts/releases", include_in_schema=False)
def part(request: Request, desk: DeskOf, number: PageNumber = 1, seen: Seen = "") -> Response:
    """Return the table alone, for a page that is open; nothing when it shows that already."""
    found = _matrix(desk, number)
    mark = mark_of(replace(found, read_at=None))
    return Response(status_code=204) if seen == mark else page(request, "parts/releases.html", found=found, mark=mark)


@router.get("/api/releases", tags=["releases"])
def all_releases(desk: DeskOf, number: PageNumber = 1) -> Matrix:
    """What became of each release in each environment, and what was said of it there; 30 a page, newest first."""
    return _matrix(desk, number)


@router.get("/releases/{tag}", include_in_schema=False)
def show_one(request: Request, desk: DeskOf, tag: str, environment: Against = "") -> Response:
    """Show one release."""
    named = find(desk, tag)
    if named.release.tag != tag:
        return RedirectResponse(f"/releases/{named.release.tag}", status_code=303)
    found = _release(desk, named, environment)
    return page(
        request,
        "release.html",
        found=found,
        names=desk.names,
        asking=asking_for_approvals(desk),
        promotions=promotions(desk),
    )


@router.get("/api/releases/{tag}", tags=["releases"])
def one_release(desk: DeskOf, tag: str, environment: Against = "") -> ReleasePage:
    """One release: what it would change, its gates, what was said of it, and where it has been."""
    return _release(desk, find(desk, tag), environment)


def find(desk: Desk, tag: str) -> NamedRelease:
    """Return the one release that a tag, or the beginning of one, means. Raises ``Invalid`` when there is none."""
    wanted = tag if tag.startswith("sha-") else f"sha-{tag}"
    holding = desk.shelf.look()
    found = [named for named in holding.releases if named.release.tag.startswith(wanted)]
    exact = [named for named in found if named.release.tag == wanted]
    if len(found) > 1 and not exact:
        raise Invalid(f"{wanted[:80]} means several releases", why=", ".join(one.release.tag[:19] for one in found[:5]))
    named = (exact or found or [_just_archived(desk, wanted, holding)])[0]
    desk.shelf.look([named.release.tag])
    return named


def _just_archived(desk: Desk, wanted: str, holding: Holding) -> NamedRelease:
    """Ask the registry for a release that is not known here yet."""
    if holding.error is not None:
        raise holding.error
    archive = desk.reach.archive()
    try:
        named = archive.read(archive.resolve(wanted))
    except Failed as error:
        raise Invalid(error.what, why=error.why) from None
    desk.shelf.renew()
    return named


def asking_for_approvals(desk: Desk) -> tuple[str, ...]:
    """Return the environments that ask for somebody's approval, as ``fairway.toml`` says."""
    return tuple(name for name in desk.names if desk.config.environments[name].policy.approvals)


def promotions(desk: Desk) -> dict[str, str | None]:
    """Return which environment each is promoted from."""
    return {name: desk.config.environments[name].promote_from for name in desk.names}


def subjects_of(desk: Desk, named: Sequence[NamedRelease]) -> dict[str, str]:
    """Return the subjects of the releases' commits, as far as the repository here has them."""
    try:
        return subjects(desk.config.root, [one.release.commit for one in named])
    except FairwayError:
        return {}  # without Git, on a host, there are none


def known_of(desk: Desk, named: NamedRelease) -> Hashable:
    """Return what is known that a release's standing depends on: what the hosts did, and what was said of it."""
    said = desk.shelf.look().said.get(named.name, ())
    return tuple(repr(sight.entries[-1:]) for sight in desk.observers.sights()), tuple(one.tag for one in said)


def mark_of(shown: object) -> str:
    """Return a mark of what is shown; how long ago something was changes it every minute."""
    return sha256(f"{int(time() / 60)} {shown!r}".encode()).hexdigest()[:16]


def _matrix(desk: Desk, number: int) -> Matrix:
    holding = desk.shelf.look()
    shown = matrices.releases_of(holding, number)
    if number > 1:
        holding = desk.shelf.look([named.release.tag for named in shown])
    return matrices.matrix(desk.observers.sights(), holding, promotions(desk), subjects_of(desk, shown), number)


def _release(desk: Desk, named: NamedRelease, environment: str) -> ReleasePage:
    chosen = environment or next(reversed(desk.names), "")
    sights = desk.observers.sights()
    desk.sight(chosen)  # raises for one that there is none of
    holding = desk.shelf.look([named.release.tag])
    told = matrices.tell_all(sights, promotions(desk))
    events = [event for tags in told.values() for event in tags.get(named.release.tag, ())]
    asked = desk.gates.ask([(name, named.release.tag) for name in desk.names], known_of(desk, named))
    problems: list[str] = []
    shown = None
    try:
        answer = next((one.standing.answer for one in asked if one.environment == chosen and one.standing), None)
        shown = _difference(desk, named, chosen, told.get(chosen, {}).get(named.release.tag, ()), answer)
    except FairwayError as error:
        problems.append(f"what it changes cannot be told: {in_a_line(error)}")
    statements: dict[str, Signed] = {one.signed.name: one.signed for one in holding.said.get(named.name, ())}
    for one in asked:
        if one.standing is not None:
            statements |= {signed.name: signed for signed in one.standing.collected.statements}
            problems += one.standing.collected.notices
    verdicts = {}
    try:
        verdicts = desk.gates.judge(chosen, list(statements.values()))
    except FairwayError as error:
        problems.append(f"not judged by {chosen}: {in_a_line(error)}")
    return ReleasePage(
        row=matrices.row(named, sights, told, holding, subjects_of(desk, [named])),
        source=named.release.source,
        fairway=named.release.fairway,
        images=releases.images_of(named),
        bundle=named.release.bundle.digest,
        difference=shown,
        gates=tuple(map(releases.gate, asked)),
        judged_by=chosen,
        evidence=releases.evidence(statements.values(), verdicts),
        passages=releases.passages(events, datetime.now(UTC)),
        problems=tuple(dict.fromkeys(problems)),
    )


def _difference(
    desk: Desk, named: NamedRelease, environment: str, events: Sequence[Event], answer: Mapping[str, Any] | None
) -> releases.Difference:
    """Compare a release with what serves in an environment; one that serves there, with what it took the place of.

    ``answer`` is what the environment's gate said; without one, what its host said before is gone by.
    """
    if answer is None:
        sight = desk.sight(environment)
        if sight.status is None:
            raise sight.error or Failed(f"the host of {environment} was not heard yet", hint="again in a moment")
        serving = matrices.serving_in(sight)
        answer = {"replaces_tag": serving.get("tag"), "replaces": serving.get("release")}
    replaced = answer.get("replaces") == named.name
    if replaced:
        before = next((event.attempt.replaces for event in events if event.serves), None)
        known = desk.shelf.look().find(before)
        answer = {"replaces_tag": before, "replaces": known.name if known else None}
    found = review_serving(desk.config.root, desk.shelf, desk.shelf.get(named.release.tag), answer)
    return releases.difference(found, environment, replaced=replaced)
