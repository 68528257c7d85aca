"""Verify: is this the release it says it is, and does the gate let it run here?"""

from __future__ import annotations

from fairway.engine.contract.errors import Refused
from fairway.engine.contract.manifest import NamedRelease
from fairway.engine.deployment import Action, Deployment
from fairway.engine.gate.consult import consult, refuse_unmet
from fairway.engine.gate.decide import Decision
from fairway.engine.steps.base import Direction, Recovery, Step


class Verify(Step):
    """Check the manifest and the bundle, byte by byte, that they are meant for this host, and the evidence.

    A rollback needs no new evidence: it goes only to what served here.
    """

    name = "verify"
    recovery = Recovery(Direction.UNDO, "a release that was being checked", "nothing: nothing was touched")

    def plan(self, deployment: Deployment) -> str:
        self._refuse_foreign(deployment)
        decision = self._consult(deployment)
        self._refuse_unmet(deployment, decision)
        return self._said(deployment, decision)

    def run(self, deployment: Deployment) -> str:
        self._refuse_foreign(deployment)
        decision = self._consult(deployment)
        if decision is not None and not decision.met:
            # For the record: whoever waits for people's words alone is told so.
            deployment.journal.noted(self.name, missing=[check.name for check in decision.missing])
        self._refuse_unmet(deployment, decision)
        if decision is not None and decision.rests_on:
            deployment.journal.noted(self.name, evidence=decision.evidence)
        return self._said(deployment, decision)

    def _refuse_unmet(self, deployment: Deployment, decision: Decision | None) -> None:
        if decision is not None:
            named = NamedRelease(deployment.stored.name, deployment.release)
            refuse_unmet(decision, named, deployment.host.environment)

    def _consult(self, deployment: Deployment) -> Decision | None:
        if deployment.request.action is not Action.DEPLOY:
            return None
        active = deployment.request.before.active
        named = NamedRelease(deployment.stored.name, deployment.release)
        host = deployment.host
        replaces = active.release if active else None
        return consult(deployment.layout, host, named, deployment.evidence, replaces)

    def _said(self, deployment: Deployment, decision: Decision | None) -> str:
        stored = deployment.stored
        said = f"release {stored.name.short}, {len(stored.files)} files in the bundle"
        return f"{said}; {decision.words}" if decision is not None and decision.rests_on else said

    def _refuse_foreign(self, deployment: Deployment) -> None:
        stored, host, request = deployment.stored, deployment.host, deployment.request
        if stored.name != request.release:
            raise Refused(
                f"the tag {request.tag.short} names another release than the one asked for",
                why=f"here it is {stored.name.short}, asked for was {request.release.short}",
            )
        if stored.release.project != host.project:
            raise Refused(
                f"this release is of the project {stored.release.project!r}, this host runs {host.project!r}",
                hint="check the environment's hosts in fairway.toml",
            )
        if stored.release.dirty and host.proven_only:
            raise Refused(
                f"{request.tag.short} was built from a tree with uncommitted changes",
                why=f"{host.environment} takes only what a commit describes",
                hint="commit, release again, and prove that release first",
            )
