"""Services: the database, the cache and the edge are up and healthy."""

from __future__ import annotations

from fairway.engine.contract.errors import Invalid
from fairway.engine.deployment import Action, Deployment
from fairway.engine.drivers import Services as Found
from fairway.engine.steps.base import Direction, Recovery, Step


class Services(Step):
    """Start what is down; recreate nothing that runs, unless the operator has asked for that service."""

    name = "services"
    recovery = Recovery(
        Direction.UNDO, "the database, the cache or the edge, perhaps just started", "nothing: they stay up"
    )

    def needed(self, deployment: Deployment) -> bool:
        mends = deployment.request.action is Action.RECONCILE
        return mends or not deployment.request.warm or not deployment.edge.answers()

    def plan(self, deployment: Deployment) -> str:
        found = deployment.driver.services(deployment.launch)
        start = [*found.down, *(["the edge"] if found.edge_down else [])]
        recreate = _asked_for(deployment, found)
        lines = [f"start {', '.join(start)}" if start else f"{', '.join(found.up) or 'nothing'} already up"]
        if recreate:
            lines.append(f"recreate {', '.join(recreate)}")
        return "; ".join([*lines, *_kept(found.changed, recreate)])

    def run(self, deployment: Deployment) -> str:
        driver, launch = deployment.driver, deployment.launch
        found = driver.services(launch)
        recreate = _asked_for(deployment, found)
        driver.start_services(launch, found, recreate, deployment.told(self.name), deployment.refuse_cancelled)
        started = [*found.down, *recreate, *(["edge"] if found.edge_down else [])]
        line = f"started {', '.join(started)}" if started else f"{', '.join(found.up) or 'nothing'} already up"
        return "; ".join([line, *_kept(found.changed, recreate)])


def _asked_for(deployment: Deployment, found: Found) -> list[str]:
    """Return what may be recreated. Raises ``Invalid`` for a name that is no supporting service."""
    for name in deployment.request.recreate:
        if name not in (*found.up, *found.down):
            raise Invalid(
                f"there is no supporting service {name!r} to recreate",
                why=f"the compose file has {', '.join((*found.up, *found.down)) or 'none'}",
            )
    return [name for name in deployment.request.recreate if name in found.up]


def _kept(changed: tuple[str, ...], recreate: list[str]) -> list[str]:
    kept = [name for name in changed if name not in recreate]
    flags = " ".join(f"--recreate {name}" for name in kept)
    return [f"{', '.join(kept)} kept as it runs although its definition changed (to apply it: {flags})"] if kept else []
