"""Record: what serves now is written down."""

from __future__ import annotations

from fairway.engine import clock
from fairway.engine.deployment import Deployment
from fairway.engine.files import write_atomically
from fairway.engine.releases import install_files
from fairway.engine.state import Occupant, State
from fairway.engine.steps.base import Step


class Record(Step):
    """Write ``state.json`` and ``deploy.env`` and put the release's files where the operator looks."""

    name = "record"
    serves = True
    finishes = True

    def run(self, deployment: Deployment) -> str:
        request, layout = deployment.request, deployment.layout
        install_files(deployment.stored, layout.deploy_path)
        lines = [f"{key}={value}" for key, value in deployment.image_settings.items()]
        header = f"# Written by Fairway: {request.tag}"
        write_atomically(layout.deploy_env, "\n".join([header, *lines, ""]).encode())
        active = Occupant(request.slot, request.tag, request.release, request.id, clock.now(), request.by)
        State(active=active, previous=request.before.active).write(layout.state)
        return f"{request.tag.short} serves"
