"""Soak: the new release has all the traffic and is watched."""

from __future__ import annotations

from fairway.engine.deployment import Action, Deployment
from fairway.engine.steps.base import Direction, Recovery, Step
from fairway.engine.watch import Figures, watch


class Soak(Step):
    """Watch the edge's figures and the readiness; a release that does worse than the one before goes back."""

    name = "soak"
    recovery = Recovery(
        Direction.FINISH,
        "the new release serving, watched for a part of the time",
        "watches it for the whole time again; worse than the limits means back",
    )

    def needed(self, deployment: Deployment) -> bool:
        return deployment.request.action is Action.DEPLOY and deployment.release.soak.for_s > 0

    def plan(self, deployment: Deployment) -> str:
        soak = deployment.release.soak
        return (
            f"watch it for {soak.for_s:g} s: at most {soak.max_error_ratio:.1%} more failures than the release before, "
            f"answers at most {soak.max_slowdown:g} times as slow{_limit(deployment)}"
        )

    def run(self, deployment: Deployment) -> str:
        old = Figures.of(deployment.edge.stats()[deployment.request.old_slot])
        deployment.edge.clear_figures()
        seen = watch(deployment, self.name, deployment.release.soak.for_s, old)
        said = f"{seen.figures} in {deployment.release.soak.for_s:g} s; before: {old.response_ms} ms"
        return "; ".join(filter(None, (said, seen.tracked)))


def _limit(deployment: Deployment) -> str:
    errors = deployment.release.errors
    return f", at most {errors.max_new_issues} new issues in {errors.url}" if errors is not None else ""
