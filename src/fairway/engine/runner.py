"""Carry a deployment out, step by step, and leave the host with exactly one release serving.

The runner knows nothing of any step: it goes down the table, writes the journal
before and after each, and when a step fails takes back what was done, last first.
A deployment whose engine was lost is brought to an end by the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import Cancelled, Failed, FairwayError, Unreachable
from fairway.engine.contract.protocol import Outcome
from fairway.engine.deployment import Deployment
from fairway.engine.journal import Mark, notes_of, read_journal, steps_marked
from fairway.engine.ledger import Ledger
from fairway.engine.steps import STEPS, Step
from fairway.engine.steps.base import Direction

_DAEMON_PATIENCE_S = 90.0
_LOOK_FOR_DAEMON_EVERY_S = 0.5
_ENDED_FACTS = (
    "outcome",
    "tag",
    "release",
    "seconds",
    "steps",
    "failed_in",
    "schema",
    "backup",
    "rehearsal",
    "evidence",
    "forced",
    "tracker",
    "error",
)


def plan(deployment: Deployment) -> list[dict[str, str]]:
    """Return the steps of this deployment and what each would change; changes nothing.

    A step that already knows it would fail says so; the ones after it are still told.
    """
    lines = []
    for step in STEPS:
        try:
            if step.needed(deployment):
                lines.append({"step": step.name, "change": deployment.redact(step.plan(deployment))})
        except FairwayError as error:
            lines.append({"step": step.name, "change": f"would fail: {error.what}", "problem": error.why or error.what})
    return lines


def carry_out(deployment: Deployment) -> None:
    """Run every step, or undo those that ran; the journal's last line says which.

    Raises what kept the host from writing down what serves, or from taking a step
    back: the journal then stays open, for the next engine to go on.
    """
    _go_on(deployment, STEPS, [], clock.monotonic())


def _go_on(deployment: Deployment, steps: Sequence[Step], ran: list[Step], begun: float) -> Outcome:
    """Run these steps after those that ran.

    Once the new release serves for good, a step that fails is told and the rest is
    done all the same; only without its record a deployment does not end.
    """
    trouble: FairwayError | None = None
    for step in steps:
        try:
            if not step.needed(deployment):
                continue
            if not step.finishes:
                deployment.refuse_cancelled()
            deployment.journal.started(step.name)
            if step not in ran:
                ran.append(step)
            deployment.journal.done(step.name, step.run(deployment))
        except Exception as error:
            known = as_error(error, step.name)
            _note_failure(deployment, step, known.what)
            if not step.finishes:
                return _take_back(deployment, ran, begun, known)
            if step.records:
                raise Failed(
                    f"{deployment.request.tag.short} serves, and that is not on record yet: {known.what}",
                    why=known.why,
                    hint="mend that; the next command writes it down",
                ) from error
            trouble = Failed(
                f"{deployment.request.tag.short} serves, but: {known.what}", why=known.why, hint=known.hint
            )
    _end(deployment, Outcome.SUCCEEDED, begun, trouble)
    return Outcome.SUCCEEDED


def _take_back(deployment: Deployment, ran: list[Step], begun: float, reason: FairwayError) -> Outcome:
    stuck = undo(deployment, ran)
    if stuck is not None:
        reason = type(reason)(
            reason.what,
            why=f"{reason.why}\nand it could not be undone: {stuck.what}\n{stuck.why}".strip(),
            hint="see what serves: fairway status <environment>; then: fairway reconcile <environment>",
        )
    outcome = Outcome.CANCELLED if isinstance(reason, Cancelled) else Outcome.FAILED
    _end(deployment, outcome, begun, reason)
    return outcome


def as_error(error: Exception, step: str) -> FairwayError:
    """Give an error that nobody foresaw the form that every error has."""
    if isinstance(error, FairwayError):
        return error
    if isinstance(error, OSError):
        return Failed(
            f"the host refused a file or socket operation in {step}",
            why=f"{error.strerror}: {error.filename or ''}".rstrip(": "),
            hint="see the disk and the permissions of the deploy path: fairway doctor <environment>",
        )
    return Failed(
        f"the engine met something it does not know in {step}",
        why=f"{type(error).__name__} (details in the deployment's engine.log on the host)",
        hint="the deployment was reverted; report this with the engine.log",
    )


def undo(deployment: Deployment, ran: Sequence[Step]) -> FairwayError | None:
    """Take the steps back, last first; return the first error of one that could not be.

    One that cannot be taken back does not stop the others; a container that has
    the traffic is never stopped, so traffic that could not be moved stays served.
    A Docker daemon that is away is waited for. Raises ``Unreachable`` when it does
    not come back, and, after the others, ``Failed`` for a step that a full or broken
    disk kept from it: the journal then stays open, for the next engine to go on.
    """
    stuck: FairwayError | None = None
    kept_back: FairwayError | None = None
    deadline = clock.monotonic() + _DAEMON_PATIENCE_S
    for step in reversed(ran):
        try:
            line = _undo_one(deployment, step, deadline)
        except Unreachable:
            raise
        except Exception as error:
            known = as_error(error, step.name)
            _note_failure(deployment, step, f"undo: {known.what}")
            if isinstance(error, OSError):
                kept_back = kept_back or known
            stuck = stuck or known
            continue
        if line is not None:
            with suppress(OSError):
                deployment.journal.undone(step.name, line)
    if kept_back is not None:
        raise kept_back
    return stuck


def _undo_one(deployment: Deployment, step: Step, deadline: float) -> str | None:
    while True:
        try:
            return step.undo(deployment)
        except Unreachable:
            if clock.monotonic() > deadline:
                raise
            clock.sleep(_LOOK_FOR_DAEMON_EVERY_S)


def _note_failure(deployment: Deployment, step: Step, message: str) -> None:
    # On a full disk the journal cannot be written either; what was done is taken back all the same.
    with suppress(OSError):
        deployment.journal.failed(step.name, message)


def recover(deployment: Deployment) -> str:
    """Bring a deployment whose engine was lost to an end, by the recovery of the step it was lost in.

    Returns a line that says what was found and done. Called with the host's lock
    held, before anything else is begun.
    """
    deployment.attended = False
    begun = clock.monotonic()
    entries = read_journal(deployment.journal.path)
    if recorded := Ledger(deployment.layout.ledger).entry_of(deployment.request.id):
        deployment.journal.ended(**{key: value for key, value in recorded.items() if key in _ENDED_FACTS})
        return f"the {deployment.request.action.value} of {deployment.request.tag.short} had ended; now it is noted"
    names = steps_marked(entries, Mark.STARTED)
    started = [step for step in STEPS if step.name in names]
    what = f"the interrupted {deployment.request.action.value} of {deployment.request.tag.short}"
    lost_in = started[-1].name if started else "the beginning"
    if _goes_on(deployment, entries, started):
        # The step it was lost in runs again: each does its work so that twice is once.
        rest = STEPS[STEPS.index(started[-1]) :]
        outcome = _go_on(deployment, rest, started, begun)
        word = "finished" if outcome is Outcome.SUCCEEDED else "went on with, and then undid,"
        return f"{word} {what}, lost in {lost_in}"
    before = deployment.request.before.active
    if before is not None and deployment.edge.serving() is not before.slot:
        # However little the journal says, the edge says that traffic was being moved.
        started = list(STEPS)
    lost = Failed(
        f"the engine was lost in {lost_in}", hint="it was undone by what came after it; deploy again when you want to"
    )
    _take_back(deployment, started, begun, lost)
    return f"undid {what}, lost in {lost_in}"


def _goes_on(deployment: Deployment, entries: list[dict[str, Any]], started: list[Step]) -> bool:
    """Say whether a lost deployment is finished rather than undone."""
    turned_back = set(steps_marked(entries, Mark.FAILED)) & {step.name for step in STEPS if not step.finishes}
    if turned_back or not started:
        return False
    # However far the journal says it came, a release that has no traffic is not recorded as serving.
    return started[-1].recovery.direction is not Direction.UNDO and deployment.edge.serving() is deployment.request.slot


def _end(deployment: Deployment, outcome: Outcome, begun: float, error: FairwayError | None) -> None:
    request = deployment.request
    entries = read_journal(deployment.journal.path)
    facts: dict[str, Any] = {
        "outcome": outcome.value,
        "tag": request.tag,
        "release": request.release,
        "seconds": round(clock.monotonic() - begun, 3),
        "steps": {
            str(entry["step"]): entry.get("seconds")
            for entry in entries
            if entry["kind"] == "step" and entry.get("mark") == Mark.DONE.value
        },
    }
    if outcome is Outcome.FAILED:
        # Whether visitors met it: one that failed in the soak had traffic, one that was never ready had none.
        failed = steps_marked(entries, Mark.FAILED)[:1] or steps_marked(entries, Mark.STARTED)[-1:]
        facts["failed_in"] = failed[0] if failed else None
    if schema := notes_of(entries, "migrate"):
        facts["schema"] = schema
    facts.update(notes_of(entries, "verify"))
    facts.update(notes_of(entries, "preflight"))
    if backup := notes_of(entries, "backup"):
        facts["backup"] = backup
    facts.update(notes_of(entries, "rehearse"))
    facts.update(notes_of(entries, "canary"))
    facts.update(notes_of(entries, "soak"))
    if error is not None:
        # Whatever an error quotes may come from the application, so it may hold a secret.
        facts["error"] = {key: _clean(deployment, value) for key, value in error.as_json().items()}
    Ledger(deployment.layout.ledger).append(
        deployment=request.id,
        action=request.action.value,
        by=request.by,
        replaces=request.before.active.tag if request.before.active else None,
        **facts,
    )
    deployment.journal.ended(**facts)


def _clean(deployment: Deployment, value: Any) -> Any:
    try:
        return deployment.redact(value) if isinstance(value, str) else value
    except FairwayError:
        return value  # the settings cannot be read, so none of them was given to anything
