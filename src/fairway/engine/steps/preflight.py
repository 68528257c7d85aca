"""Preflight: everything that can be known to fail, before anything is touched."""

from __future__ import annotations

from fairway.engine.contract.errors import Refused
from fairway.engine.deployment import Deployment
from fairway.engine.steps.base import Step

# The manifest gives compressed sizes; layers unpack to about two and a half times that beside the download.
_UNPACKED = 3.5
_RESERVE_BYTES = 300 * 1024 * 1024


class Preflight(Step):
    """Check the settings, the compose file and the disk."""

    name = "preflight"

    def run(self, deployment: Deployment) -> str:
        settings = deployment.settings
        if deployment.request.warm:
            return f"{len(settings)} settings, the slot is warm"
        deployment.driver.check(deployment.launch)
        missing = deployment.missing_images
        need = int(sum(image.size_bytes for image in missing) * _UNPACKED) + _RESERVE_BYTES
        free = deployment.driver.free_bytes()
        if free < need:
            raise Refused(
                "not enough disk space for the release's images",
                why=f"{_mib(free)} MiB free where Docker keeps images, {_mib(need)} MiB needed",
                hint="free some space on the host, for example with: docker image prune",
            )
        return f"{len(settings)} settings, {_mib(free)} MiB free, {len(missing)} images to pull"


def _mib(size_bytes: int) -> int:
    return size_bytes // (1024 * 1024)
