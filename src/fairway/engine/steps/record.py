"""Record: what serves now is written down."""

from __future__ import annotations

from fairway.engine import clock
from fairway.engine.deployment import Deployment, Request
from fairway.engine.files import write_atomically
from fairway.engine.gate.issued import say_recorded
from fairway.engine.releases import install_files
from fairway.engine.state import Occupant, State
from fairway.engine.steps.base import Direction, Recovery, Step


class Record(Step):
    """Write ``state.json`` and ``deploy.env`` and put the release's files where the operator looks."""

    name = "record"
    finishes = True
    records = True
    recovery = Recovery(
        Direction.FINISH,
        "the new release serving, the record old or new",
        "writes the record again; the same comes out",
    )

    def plan(self, deployment: Deployment) -> str:
        return f"write state.json, {deployment.layout.deploy_env.name} and {', '.join(deployment.stored.files)}"

    def run(self, deployment: Deployment) -> str:
        request, layout = deployment.request, deployment.layout
        install_files(deployment.stored, layout.deploy_path)
        write_atomically(layout.deploy_env, deployment.deploy_env)
        active = Occupant(request.slot, request.tag, request.release, request.id, clock.now(), request.by)
        State(active=active, previous=_previous(request)).write(layout.state)
        said = ", ".join(kind.value for kind in say_recorded(deployment))
        return f"{request.tag.short} serves" + (f"; signed: {said}" if said else "")


def _previous(request: Request) -> Occupant | None:
    """Return what a rollback goes back to: another release than the one that serves now."""
    active = request.before.active
    return request.before.previous if active is not None and active.release == request.release else active
