"""Preflight: everything that can be known to fail, before anything is touched."""

from __future__ import annotations

from fairway.engine.contract.errors import FairwayError, Refused
from fairway.engine.deployment import Action, Deployment, Request
from fairway.engine.gate.store import read_policy
from fairway.engine.schema.look import check_schema
from fairway.engine.schema.passage import Passage
from fairway.engine.steps.base import Direction, Recovery, Step

# The manifest gives compressed sizes; layers unpack to about two and a half times that beside the download.
_UNPACKED = 3.5
_RESERVE_BYTES = 300 * 1024 * 1024
# The size of a service's image stands in its registry, and a host asks only Docker: room for a database's, unpacked.
_UNKNOWN_IMAGE_BYTES = 400 * 1024 * 1024


class Preflight(Step):
    """Check the settings, the compose file, what it asks of this host, the database's schema, and the disk."""

    name = "preflight"
    recovery = Recovery(Direction.UNDO, "checks that were going on", "nothing: nothing was touched")

    def plan(self, deployment: Deployment) -> str:
        return self._checked(deployment)[0]

    def run(self, deployment: Deployment) -> str:
        said, schema = self._checked(deployment)
        note_forced(deployment, schema)
        return said

    def _checked(self, deployment: Deployment) -> tuple[str, Passage | None]:
        settings = deployment.settings
        if _is_judged(deployment.request):
            deployment.driver.judge(deployment.launch, read_policy(deployment.layout))
        schema = check_schema(deployment)
        said = _schema_words(deployment, schema)
        if deployment.request.warm:
            return f"{len(settings)} settings, the slot is warm{said}", schema
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
        images = len(missing) + len(services)
        return f"{len(settings)} settings, {_mib(free)} MiB free, {images} images to pull{said}", schema


def note_forced(deployment: Deployment, schema: Passage | None) -> None:
    """Put on the record that a deployment went on whatever stood in its way, and what did."""
    if schema is not None and schema.obstacles:
        over = [deployment.redact(str(one)) for one in schema.obstacles]
        forced = {"reason": deployment.redact(deployment.request.forced), "over": over}
        deployment.journal.noted(Preflight.name, forced=forced)


def _schema_words(deployment: Deployment, schema: Passage | None) -> str:
    if schema is None:
        return ""
    if schema.obstacles:
        over = deployment.redact(schema.words).replace("\n", "; ")
        return f"; forced over the schema ({deployment.request.forced}): {over}"
    return f"; schema: {schema.note}" if schema.note else ""


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
