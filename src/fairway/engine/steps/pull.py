"""Pull: bring the release's images to the host, by digest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fairway.engine.contract.names import PinnedImage
from fairway.engine.deployment import Deployment
from fairway.engine.steps.base import Direction, Recovery, Step


class Pull(Step):
    """Pull what is not there yet. Images stay when the deployment is undone: they cost nothing but space."""

    name = "pull"
    recovery = Recovery(
        Direction.UNDO, "some of the release's images, or parts of them", "nothing: they cost only space"
    )

    def needed(self, deployment: Deployment) -> bool:
        # A warm slot keeps the application's image on the host, not the migrator's: a prune takes that.
        return not deployment.request.warm or (deployment.migrates and bool(deployment.missing_images))

    def plan(self, deployment: Deployment) -> str:
        missing = deployment.missing_images
        if not missing:
            return "both images are on the host"
        return "pull " + ", ".join(f"{i.repository.path}@{i.digest.short}" for i in missing)

    def run(self, deployment: Deployment) -> str:
        missing = deployment.missing_images

        def pull(image: PinnedImage) -> None:
            deployment.driver.pull(image, deployment.told(self.name), deployment.refuse_cancelled)

        with ThreadPoolExecutor(max_workers=2) as pool:
            for _ in pool.map(pull, missing):
                pass
        return ", ".join(f"{i.repository.path}@{i.digest.short}" for i in missing) or "already on the host"
