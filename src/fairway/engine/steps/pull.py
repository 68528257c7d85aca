"""Pull: bring the release's images to the host, by digest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fairway.engine.contract.names import PinnedImage
from fairway.engine.deployment import Deployment
from fairway.engine.steps.base import Step


class Pull(Step):
    """Pull what is not there yet. Images stay when the deployment is undone: they cost nothing but space."""

    name = "pull"

    def needed(self, deployment: Deployment) -> bool:
        return not deployment.request.warm

    def run(self, deployment: Deployment) -> str:
        missing = deployment.missing_images

        def pull(image: PinnedImage) -> None:
            deployment.driver.pull(image, lambda line: deployment.journal.progress(self.name, line))

        with ThreadPoolExecutor(max_workers=2) as pool:
            for _ in pool.map(pull, missing):
                pass
        return ", ".join(f"{i.repository.path}@{i.digest.short}" for i in missing) or "already on the host"
