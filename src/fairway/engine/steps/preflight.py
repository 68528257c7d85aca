"""Preflight: everything that can be known to fail, before anything is touched."""

from __future__ import annotations

from fairway.engine.contract.errors import FairwayError, Refused
from fairway.engine.deployment import Action, Deployment, Request
from fairway.engine.gate.store import read_policy
from fairway.engine.steps.base import Direction, Recovery, Step

# The manifest gives compressed sizes; layers unpack to about two and a half times that beside the download.
_UNPACKED = 3.5
_RESERVE_BYTES = 300 * 1024 * 1024
# The size of a service's image stands in its registry, and a host asks only Docker: room for a database's, unpacked.
_UNKNOWN_IMAGE_BYTES = 400 * 1024 * 1024


class Preflight(Step):
    """Check the settings, the compose file, what it asks of this host, and the disk."""

    name = "preflight"
    recovery = Recovery(Direction.UNDO, "checks that were going on", "nothing: nothing was touched")

    def plan(self, deployment: Deployment) -> str:
        return self.run(deployment)

    def run(self, deployment: Deployment) -> str:
        settings = deployment.settings
        if _is_judged(deployment.request):
            deployment.driver.judge(deployment.launch, read_policy(deployment.layout))
        if deployment.request.warm:
            return f"{len(settings)} settings, the slot is warm"
        deployment.driver.check(deployment.launch)
        missing = deployment.missing_images
        services = _missing_services(deployment)
        need = int(sum(image.size_bytes for image in missing) * _UNPACKED)
        need += len(services) * _UNKNOWN_IMAGE_BYTES + _RESERVE_BYTES
        free = deployment.driver.free_bytes()
        if free < need:
            raise Refused(
                "not enough disk space for the release's images",
                why=f"{_mib(free)} MiB free where Docker keeps images, {_mib(need)} MiB needed{_set_aside(services)}",
                hint=_way_out(deployment),
            )
        return f"{len(settings)} settings, {_mib(free)} MiB free, {len(missing) + len(services)} images to pull"


def _is_judged(request: Request) -> bool:
    """Say whether the bundle has to be what this host's policy allows now.

    A rollback is judged, too: what an administrator no longer allows does not come back
    that way. One into a warm slot starts nothing before visitors are on it; a restart
    and a reconcile start what runs on this host already.
    """
    return request.action is Action.DEPLOY or (request.action is Action.ROLLBACK and not request.warm)


def _missing_services(deployment: Deployment) -> list[str]:
    """Return the services' images that a first deployment pulls; later ones find them here."""
    if deployment.request.before.active is not None:
        return []
    return deployment.driver.missing_services(deployment.launch)


def _set_aside(services: list[str]) -> str:
    if not services:
        return ""
    each = _mib(_UNKNOWN_IMAGE_BYTES)
    return f"; of that {each} MiB each are set aside for images whose size is not known: {', '.join(services)}"


def _way_out(deployment: Deployment) -> str:
    """Say what removing old releases would free; what else is on the disk is for the operator to judge."""
    from fairway.engine import housekeeping  # every deployment would wait for the import

    environment = deployment.host.environment
    try:
        found = housekeeping.plan(deployment.layout, deployment.host)
    except (FairwayError, OSError):
        return f"free some space on the host; see what old releases take: fairway prune {environment} --plan"
    if not found["goes"]:
        return "free some space on the host: no release here is older than its retention keeps"
    return (
        f"fairway prune {environment} would free about {_mib(found['freed_bytes'])} MiB ({len(found['goes'])} things)"
    )


def _mib(size_bytes: int) -> int:
    return size_bytes // (1024 * 1024)
