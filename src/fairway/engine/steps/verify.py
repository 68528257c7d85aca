"""Verify: is this the release it says it is, and may it run here?"""

from __future__ import annotations

from fairway.engine.contract.errors import Refused
from fairway.engine.deployment import Deployment
from fairway.engine.steps.base import Step


class Verify(Step):
    """Check the manifest and the bundle, byte by byte, and that they are meant for this host."""

    name = "verify"

    def run(self, deployment: Deployment) -> str:
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
        return f"release {stored.name.short}, {len(stored.files)} files in the bundle"
