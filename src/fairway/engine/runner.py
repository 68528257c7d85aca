"""Carry a deployment out, step by step, and leave the host with exactly one release serving.

The runner knows nothing of any step: it goes down the table, writes the journal
before and after each, and when a step fails takes back what was done, last first.
"""

from __future__ import annotations

from typing import Any

from fairway.engine import clock
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.protocol import Outcome
from fairway.engine.deployment import Deployment
from fairway.engine.journal import Mark, read_journal, steps_marked
from fairway.engine.ledger import Ledger
from fairway.engine.steps import STEPS, Step


def carry_out(deployment: Deployment) -> None:
    """Run every step, or undo those that ran; the journal's last line says which.

    Once the new release serves for good, a step that fails is told and the rest is
    done all the same.
    """
    begun = clock.monotonic()
    ran: list[Step] = []
    trouble: FairwayError | None = None
    for step in STEPS:
        try:
            if not step.needed(deployment):
                continue
            deployment.journal.started(step.name)
            ran.append(step)
            deployment.journal.done(step.name, step.run(deployment))
        except Exception as error:
            known = as_error(error, step.name)
            deployment.journal.failed(step.name, known.what)
            if not step.finishes:
                undo(deployment, ran)
                _end(deployment, Outcome.FAILED, begun, known)
                return
            trouble = Failed(
                f"{deployment.request.tag.short} serves, but: {known.what}", why=known.why, hint=known.hint
            )
    _end(deployment, Outcome.SUCCEEDED, begun, trouble)


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


def undo(deployment: Deployment, ran: list[Step]) -> None:
    """Take the steps back, last first; one that cannot be taken back does not stop the others."""
    for step in reversed(ran):
        try:
            line = step.undo(deployment)
        except Exception as error:
            deployment.journal.failed(step.name, f"undo: {as_error(error, step.name).what}")
            continue
        if line is not None:
            deployment.journal.undone(step.name, line)


def recover(deployment: Deployment) -> str:
    """Bring a deployment whose engine was lost to an end: finish it if it serves, undo it if not.

    Returns a line that says which. Called with the host's lock held, before
    anything else is begun.
    """
    entries = read_journal(deployment.journal.path)
    begun = clock.monotonic()
    started = set(steps_marked(entries, Mark.STARTED))
    if _serves(deployment):
        for step in STEPS:
            if step.serves and step.needed(deployment):
                deployment.journal.started(step.name)
                deployment.journal.done(step.name, step.run(deployment))
        _end(deployment, Outcome.SUCCEEDED, begun, None)
        return f"finished the interrupted {deployment.request.action.value} of {deployment.request.tag.short}"
    undo(deployment, [step for step in STEPS if step.name in started])
    lost = Failed("the engine was lost in the middle of it", hint="it was undone by the next command; deploy again")
    _end(deployment, Outcome.FAILED, begun, lost)
    return f"undid the interrupted {deployment.request.action.value} of {deployment.request.tag.short}"


def _serves(deployment: Deployment) -> bool:
    try:
        return deployment.edge.active() is deployment.request.slot
    except Failed:
        return False


def _end(deployment: Deployment, outcome: Outcome, begun: float, error: FairwayError | None) -> None:
    request = deployment.request
    steps = {
        str(entry["step"]): entry.get("seconds")
        for entry in read_journal(deployment.journal.path)
        if entry["kind"] == "step" and entry.get("mark") == Mark.DONE.value
    }
    facts: dict[str, Any] = {
        "outcome": outcome.value,
        "tag": request.tag,
        "release": request.release,
        "seconds": round(clock.monotonic() - begun, 3),
        "steps": steps,
    }
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
