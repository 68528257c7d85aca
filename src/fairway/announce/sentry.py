"""Sentry, and what has its API: the releases that are made, and where they are deployed.

https://docs.sentry.io/api/releases/create-a-new-release-for-an-organization/ and
.../create-a-deploy/. The address, the organization and the project are those of ``[errors]`` in
fairway.toml; the token is where Sentry's own tools look for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fairway.announce.model import Deployment, Ending, Kind
from fairway.announce.service import Service
from fairway.config import Config
from fairway.engine.contract.errors import Failed, FairwayError, Invalid

if TYPE_CHECKING:
    from fairway.engine.contract.manifest import Release

TOKEN = "SENTRY_AUTH_TOKEN"  # noqa: S105 - a variable's name
_DEPLOYED = (Kind.DEPLOY, Kind.PROMOTE, Kind.ROLLBACK)
# What comes after is refused.
_NAME_LENGTH = 64


def from_environ(environ: Mapping[str, str], config: Config) -> Sentry | None:
    """Return who tells the error tracker, when there is one and a token for it. Raises ``Invalid`` for a bad token."""
    token = environ.get(TOKEN, "").strip()
    if config.errors is None or not token:
        return None
    if not token.isascii() or not token.isprintable():
        raise Invalid(f"{TOKEN} is not one line of printable characters")
    return Sentry(config.errors.url, config.errors.organization, config.errors.project, token)


class Sentry:
    """Tells one organization's error tracker."""

    name = "the error tracker"

    def __init__(self, url: str, organization: str, project: str, token: str) -> None:
        self.secrets = (token,)
        self._api = f"{url}/api/0"
        self._path = f"organizations/{organization}/releases"
        self._project = project

    def begun(self, deployment: Deployment) -> None:
        """Say nothing: it is told of a deployment once, when there is one."""

    def ended(self, deployment: Deployment, ending: Ending) -> None:
        """Create a deploy of the release, and the release where nobody has told of it yet."""
        if not ending.succeeded or deployment.kind not in _DEPLOYED:
            return
        document: dict[str, Any] = {
            "environment": deployment.environment[:_NAME_LENGTH],
            "name": deployment.id[:_NAME_LENGTH],
            "dateStarted": _time(deployment.begun_at),
            "dateFinished": _time(ending.ended_at),
        }
        if deployment.url is not None:
            document["url"] = deployment.url
        path = f"{self._path}/{quote(deployment.tag, safe='')}/deploys/"
        with self._open() as service:
            refused: FairwayError | None = None
            try:
                self._create(service, {"version": deployment.tag, "ref": deployment.commit})
            except Failed as error:
                # Sentry takes a release twice. GlitchTip does not, and of one that it has, a deploy is created.
                refused = error
            try:
                service.create(path, document, to="create a deploy")
            except Failed as error:
                raise refused or error from None

    def released(self, release: Release) -> None:
        """Create the release. Raises ``FairwayError``."""
        document = {"version": str(release.tag), "ref": release.commit, "dateReleased": release.created_at}
        if release.ci_run is not None:
            document["url"] = release.ci_run
        with self._open() as service:
            self._create(service, document)

    def _open(self) -> Service:
        return Service(self._api, {"Authorization": f"Bearer {self.secrets[0]}"})

    def _create(self, service: Service, document: Mapping[str, str]) -> None:
        service.create(f"{self._path}/", {**document, "projects": [self._project]}, to="create the release")


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
