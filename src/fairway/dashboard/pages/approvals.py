"""Approvals: what waits, what was decided, and the page on which somebody decides.

Signed is what was shown: the form carries which release was shown, and what it was shown
against. The dashboard signs only where it runs as the person, with their own key; elsewhere
the statement goes out, and comes back with a signature.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from fairway.dashboard.access import Person
from fairway.dashboard.desk import Desk, DeskOf, PersonOf
from fairway.dashboard.gates import Asked
from fairway.dashboard.pages.releases import (
    Seen,
    asking_for_approvals,
    find,
    known_of,
    mark_of,
    promotions,
    subjects_of,
)
from fairway.dashboard.rendering import page
from fairway.dashboard.views import approvals as queues
from fairway.dashboard.views import matrix as matrices
from fairway.dashboard.views import release as releases
from fairway.dashboard.views.approvals import Approvals, Queue, Waiting
from fairway.dashboard.views.review import ReviewPage
from fairway.engine.contract.errors import FairwayError, Invalid, Refused
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.contract.names import Digest
from fairway.engine.contract.statement import MAX_SIGNATURE_BYTES, MAX_STATEMENT_BYTES, Signed, Statement
from fairway.evidence import elsewhere
from fairway.evidence.collect import in_a_line
from fairway.evidence.decision import Subject, allowance, parse_span, rejection, role_for
from fairway.evidence.declare import submit
from fairway.evidence.explain import Standing
from fairway.evidence.review import compare_shipped, review_serving
from fairway.evidence.sign import find_key, sign_unattended
from fairway.observe.attempts import read_time

router = APIRouter()
_Line = Annotated[str, Form(max_length=1000)]
_Carried = Annotated[str, Form(max_length=2 * MAX_STATEMENT_BYTES)]
_STATUS = {Refused.exit_code: 409, Invalid.exit_code: 422}


@router.get("/approvals", include_in_schema=False)
def show(request: Request, desk: DeskOf) -> HTMLResponse:
    """Show what waits for an approval, and what was decided."""
    found = _approvals(desk)
    return page(request, "approvals.html", found=found, mark=mark_of(found))


@router.get("/parts/approvals", include_in_schema=False)
def part(request: Request, desk: DeskOf, seen: Seen = "") -> Response:
    """Return the same without the page around it; nothing when the page shows that already."""
    found = _approvals(desk)
    mark = mark_of(found)
    return Response(status_code=204) if seen == mark else page(request, "parts/approvals.html", found=found, mark=mark)


@router.get("/api/approvals", tags=["approvals"])
def approvals(desk: DeskOf) -> Approvals:
    """The releases that environments with approvals wait for, with what is met and missing, and what was decided."""
    return _approvals(desk)


@router.get("/approvals/{environment}/{tag}", include_in_schema=False)
def review(
    request: Request, desk: DeskOf, person: PersonOf, environment: str, tag: str, said: str = Query("", max_length=80)
) -> HTMLResponse:
    """Show everything that a reviewer looks at, and ask for a decision."""
    found = _review(desk, environment, find(desk, tag))
    done = next((line for line in found.evidence if said and line.digest == f"sha256:{said}"), None)
    return _show_review(request, desk, person, found, done=done)


@router.get("/api/approvals/{environment}/{tag}", tags=["approvals"])
def reviewed(desk: DeskOf, environment: str, tag: str) -> ReviewPage:
    """What a release would change in an environment, and how it stands there, asked of its host now."""
    return _review(desk, environment, find(desk, tag))


@router.post("/approvals/{environment}/{tag}/{kind}", include_in_schema=False)
def decide(
    request: Request,
    desk: DeskOf,
    person: PersonOf,
    environment: str,
    tag: str,
    kind: str,
    release: _Line,
    replaces: _Line = "",
    expires: _Line = "24h",
    reason: _Line = "",
) -> Response:
    """Sign a decision with the person's own key, or (``.../statement-approve``) have it signed elsewhere."""
    word = kind.removeprefix("statement-")
    if word not in ("approve", "reject"):
        raise HTTPException(404)
    named = find(desk, tag)
    try:
        subject, standing = _look(desk, environment, named)
        statement = _statement(word, subject, standing, release, replaces, expires, reason)
        if word == kind:
            return _sign(desk, person, statement)
    except FairwayError as error:
        found = _review(desk, environment, named)
        return _show_review(request, desk, person, found, error=error, reason=reason, expires=expires)
    return _show_statement(request, statement)


@router.post("/approvals/{environment}/{tag}/elsewhere/statement", include_in_schema=False)
def download(environment: str, tag: str, statement: _Carried) -> Response:
    """Return the exact bytes that are to be signed, as a file."""
    found, content = elsewhere.take_back(statement)
    name = _file_name(found)
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.post("/approvals/{environment}/{tag}/elsewhere/signed", include_in_schema=False)
def signed(
    request: Request,
    desk: DeskOf,
    person: PersonOf,
    environment: str,
    tag: str,
    statement: _Carried,
    signature: Annotated[str, Form(max_length=2 * MAX_SIGNATURE_BYTES)],
) -> Response:
    """Take a statement back with its signature: the environment's host says whether it believes it."""
    named = find(desk, tag)
    taken, content = elsewhere.take_back(statement)
    try:
        subject, standing = _look(desk, environment, named)
        elsewhere.refuse_other(taken, subject, standing.replaces)
        return _hand_in(desk, taken, elsewhere.signed_elsewhere(content, signature), "the key of what was pasted")
    except FairwayError as error:
        return _show_statement(request, taken, error=error, status_code=_STATUS.get(error.exit_code, 502))


def _statement(
    word: str, subject: Subject, standing: Standing, release: str, replaces: str, expires: str, reason: str
) -> Statement:
    """Return what is to be signed. Raises ``Refused`` when it is not what was shown."""
    if release != subject.named.name:
        raise Refused(
            "this is another release than the one that was shown: look again",
            why=f"{release[:80]} was shown, {subject.named.name} has the tag {subject.named.release.tag.short}",
            hint="a tag names one release for ever: find out who changed it",
        )
    if word == "reject":
        return rejection(subject, reason=reason)
    if standing.serves:
        raise Refused(f"{subject.named.release.tag.short} is what serves on {subject.environment} already")
    if replaces != (standing.replaces or ""):
        raise elsewhere.stale()
    wanted = allowance(lasts=parse_span(expires), reason=reason.strip() or None, override_freeze=False)
    return wanted.statement(subject, Digest(replaces) if replaces else None)


def _sign(desk: Desk, person: Person, statement: Statement) -> Response:
    if not person.acts:
        raise Refused(
            "this dashboard does not run as you, so it has no key of yours",
            hint="sign on your own machine: the page shows how",
        )
    key = find_key(None, desk.config.root)
    return _hand_in(desk, statement, sign_unattended(statement, key, role_for(statement.kind)), key.words)


def _hand_in(desk: Desk, statement: Statement, said: Signed, signed_with: str) -> Response:
    """Have the host judge, archive it, and go back to the review."""
    engine = desk.reach.engine(statement.environment)
    try:
        submit(engine, desk.reach.archive().statements, statement, said, signed_with)
    finally:
        engine.close()
    desk.gates.forget()
    desk.shelf.renew()
    digits = said.digest.removeprefix("sha256:")
    return RedirectResponse(f"/approvals/{statement.environment}/{statement.tag}?said={digits}", status_code=303)


def _look(desk: Desk, environment: str, named: NamedRelease) -> tuple[Subject, Standing]:
    """Ask the archive and the hosts now."""
    desk.sight(environment)
    released, standing = desk.gates.look(environment, named.release.tag)
    return Subject(released.named, environment), standing


def _review(desk: Desk, environment: str, named: NamedRelease) -> ReviewPage:
    desk.sight(environment)
    released, standing = desk.gates.look(environment, named.release.tag)
    compared = review_serving(desk.config.root, desk.shelf, released, standing.answer)
    sights = desk.observers.sights()
    told = matrices.tell_all(sights, promotions(desk))
    statements = standing.collected.statements
    problems: list[str] = []
    verdicts = {}
    try:
        verdicts = desk.gates.judge(environment, statements)
    except FairwayError as error:
        problems.append(f"not judged by {environment}: {in_a_line(error)}")
    holding = desk.shelf.look([named.release.tag])
    return ReviewPage(
        environment=environment,
        row=matrices.row(released.named, sights, told, holding, subjects_of(desk, [released.named])),
        replaces=standing.replaces,
        difference=releases.difference(compared, environment, replaced=False),
        images=releases.images_of(released.named),
        gate=releases.gate(Asked(environment, standing)),
        evidence=releases.evidence(statements, verdicts),
        problems=tuple(problems),
    )


def _show_review(
    request: Request,
    desk: Desk,
    person: Person,
    found: ReviewPage,
    *,
    done: releases.EvidenceLine | None = None,
    error: FairwayError | None = None,
    reason: str = "",
    expires: str = "24h",
) -> HTMLResponse:
    key, no_key = "", None
    if person.acts:
        try:
            key = find_key(None, desk.config.root).words
        except FairwayError as missing:
            no_key = missing
    return page(
        request,
        "review.html",
        status_code=_STATUS.get(error.exit_code, 502) if error else 200,
        found=found,
        done=done,
        error=error,
        reason=reason,
        expires=expires,
        key=key,
        no_key=no_key,
        source=desk.config.environments[found.environment].promote_from,
    )


def _show_statement(
    request: Request, statement: Statement, *, error: FairwayError | None = None, status_code: int = 200
) -> HTMLResponse:
    return page(
        request,
        "elsewhere.html",
        status_code=status_code,
        statement=statement,
        carried=elsewhere.to_text(statement),
        file=_file_name(statement),
        namespace=elsewhere.namespace_of(statement),
        error=error,
        within=elsewhere.WITHIN,
    )


def _file_name(statement: Statement) -> str:
    return f"{statement.kind.value}-{statement.environment}-{statement.tag.short}.json"


def _approvals(desk: Desk) -> Approvals:
    holding = desk.shelf.look()
    problems: list[str] = []
    decided = queues.decided(holding)
    verdicts: dict[str, dict[str, dict[str, object]]] = {}
    for environment in dict.fromkeys(one.statement.environment for one in decided):
        if environment not in desk.names:
            continue
        try:
            there = [one.signed for one in decided if one.statement.environment == environment]
            verdicts[environment] = desk.gates.judge(environment, there)
        except FairwayError as error:
            problems.append(f"not judged by {environment}: {in_a_line(error)}")
    used = queues.used_by(desk.observers.sights())
    return Approvals(
        queues=tuple(_queue(desk, name) for name in asking_for_approvals(desk)),
        decisions=tuple(
            queues.decision(one, verdicts.get(one.statement.environment, {}).get(one.signed.name), used)
            for one in decided
        ),
        problem=holding.error.as_json() if holding.error else None,
        problems=tuple(problems),
    )


def _queue(desk: Desk, environment: str) -> Queue:
    table = desk.config.environments[environment]
    source = table.promote_from or environment
    holding = desk.shelf.look()
    found = queues.candidates(desk.sight(environment), desk.sight(source), holding)
    shown = found[: queues.MOST_WAITING]
    known = tuple(known_of(desk, named) for named in shown)
    asked = desk.gates.ask([(environment, named.release.tag) for named in shown], known)
    subjects = subjects_of(desk, shown)
    serving = matrices.serving_in(desk.sight(environment)).get("tag")
    before = holding.find(serving)
    return Queue(
        environment=environment,
        source=source,
        approvals=table.policy.approvals,
        serves=str(serving) if serving else None,
        waiting=tuple(
            Waiting(
                environment=environment,
                source=source,
                tag=named.release.tag,
                release=named.name,
                subject=subjects.get(named.release.commit),
                author=named.release.author,
                created_at=read_time(named.release.created_at),
                migrations=matrices.coming(compare_shipped(before.release, named.release)) if before else None,
                gate=releases.gate(one),
            )
            for named, one in zip(shown, asked, strict=True)
        ),
        more=len(found) - len(shown),
    )
