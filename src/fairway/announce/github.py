"""GitHub: a deployment of its Deployments API, and a status on the commit.

https://docs.github.com/rest/deployments/deployments, .../statuses, and
https://docs.github.com/rest/commits/statuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fairway.announce.model import Deployment, Ending, Kind
from fairway.announce.service import Service, address
from fairway.config import Config
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.protocol import Outcome

_API = "https://api.github.com"
# An unknown version is refused; this one is supported for as long as GitHub has announced no other way.
_VERSION = "2022-11-28"
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
_MOST_CHARACTERS = 140
_DONE = {
    Kind.DEPLOY: "deployed",
    Kind.PROMOTE: "promoted",
    Kind.ROLLBACK: "rolled back to",
    Kind.RESTART: "restarted",
    Kind.RECONCILE: "reconciled",
}
_DEPLOYMENT_STATES = {
    Outcome.SUCCEEDED: "success",
    Outcome.UNCHANGED: "success",
    Outcome.FAILED: "failure",
    # It was reverted because somebody wanted it: that is no failure of the release, and it does not serve.
    Outcome.CANCELLED: "inactive",
    Outcome.UNKNOWN: "in_progress",
}
_COMMIT_STATES = {
    Outcome.SUCCEEDED: "success",
    Outcome.UNCHANGED: "success",
    Outcome.FAILED: "failure",
    Outcome.CANCELLED: "error",
    Outcome.UNKNOWN: "pending",
}


def from_environ(environ: Mapping[str, str], config: Config) -> GitHub | None:
    """Return who tells GitHub, when there is a token and a repository. Raises ``Invalid`` for ones that cannot be."""
    token = (environ.get("FAIRWAY_GITHUB_TOKEN") or environ.get("GITHUB_TOKEN") or "").strip()
    repository = environ.get("GITHUB_REPOSITORY", "").strip()
    if not token or not repository:
        return None
    if not _REPOSITORY.fullmatch(repository):
        raise Invalid("GITHUB_REPOSITORY is not an owner and a repository's name")
    if not token.isascii() or not token.isprintable():
        raise Invalid("the token is not one line of printable characters")
    api = address(environ.get("GITHUB_API_URL") or _API, "GITHUB_API_URL")
    return GitHub(api, repository, token, log_url=_run(environ, repository))


def _run(environ: Mapping[str, str], repository: str) -> str | None:
    server, run = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_RUN_ID", "")
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "")
    if not server or not run.isdecimal():
        return None
    return f"{server}/{repository}/actions/runs/{run}" + (f"/attempts/{attempt}" if attempt.isdecimal() else "")


class GitHub:
    """Tells one repository. What it may not do of the two, it says, and does the other."""

    name = "GitHub"

    def __init__(self, api: str, repository: str, token: str, *, log_url: str | None = None) -> None:
        self.secrets = (token,)
        self._api = api
        self._path = f"repos/{repository}"
        self._log_url = log_url
        #: The number that GitHub has given the deployment, once it has.
        self._number: int | None = None

    def begun(self, deployment: Deployment) -> None:
        """Create the deployment, and have the commit's status wait for it."""
        with self._open() as service:
            _each(
                lambda: self._create(service, deployment),
                lambda: self._commit_status(service, deployment, "pending", f"{deployment.words}, by {deployment.by}"),
            )

    def ended(self, deployment: Deployment, ending: Ending) -> None:
        """Say how it ended in both places."""
        words = _words(deployment, ending)
        with self._open() as service:
            _each(
                lambda: self._deployment_status(service, deployment, _DEPLOYMENT_STATES[ending.outcome], words),
                lambda: self._commit_status(service, deployment, _COMMIT_STATES[ending.outcome], words),
            )

    def _open(self) -> Service:
        headers = {
            "Authorization": f"Bearer {self.secrets[0]}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": _VERSION,
        }
        return Service(self._api, headers)

    def _create(self, service: Service, deployment: Deployment) -> None:
        document: dict[str, Any] = {
            "ref": deployment.commit,
            "task": "deploy" if deployment.kind is Kind.PROMOTE else deployment.kind.value,
            # The images are built and the host has decided on them: nothing is to be merged, or waited for.
            "auto_merge": False,
            "required_contexts": [],
            "environment": deployment.environment,
            "production_environment": deployment.production,
            "transient_environment": False,
            "description": _short(f"{deployment.words}, by {deployment.by}"),
            "payload": {
                "fairway": {
                    "deployment": deployment.id,
                    "kind": deployment.kind.value,
                    "tag": deployment.tag,
                    "release": deployment.release,
                }
            },
        }
        answer = service.create(f"{self._path}/deployments", document, to="create a deployment")
        number = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(number, int):
            raise Failed("gave a deployment no number")
        self._number = number
        self._deployment_status(service, deployment, "in_progress", "a host has begun it")

    def _deployment_status(self, service: Service, deployment: Deployment, state: str, words: str) -> None:
        if self._number is None:
            return  # that it could not be created has been told
        document: dict[str, Any] = {"state": state, "description": _short(words), "environment": deployment.environment}
        if self._log_url:
            document["log_url"] = self._log_url
        if deployment.url and state in ("success", "in_progress"):
            document["environment_url"] = deployment.url
        path = f"{self._path}/deployments/{self._number}/statuses"
        service.state(path, document, to="set the deployment's status")

    def _commit_status(self, service: Service, deployment: Deployment, state: str, words: str) -> None:
        document = {
            "state": state,
            "context": f"fairway/{deployment.environment}",
            "description": _short(words),
        }
        if target := self._log_url or deployment.url:
            document["target_url"] = target
        service.state(f"{self._path}/statuses/{deployment.commit}", document, to="set the commit's status")


def _each(*tell: Callable[[], None]) -> None:
    """Do all of it, and then raise what was met."""
    met: list[FairwayError] = []
    for one in tell:
        try:
            one()
        except FairwayError as error:
            met.append(error)
    if met:
        said = "; ".join(dict.fromkeys(f"{error.what}{f': {error.why}' if error.why else ''}" for error in met))
        raise Failed(said)


def _words(deployment: Deployment, ending: Ending) -> str:
    error = ending.error.what if ending.error else ""
    if ending.outcome is Outcome.UNKNOWN:
        return f"goes on at the host, out of sight: fairway attach {deployment.environment}"
    if ending.outcome is Outcome.CANCELLED:
        return "cancelled, and reverted"
    if ending.outcome is Outcome.FAILED:
        return f"failed{f' in {ending.failed_in}' if ending.failed_in else ''}: {error}"
    took = f" in {ending.seconds:.1f} s" if ending.seconds is not None else ""
    return f"{_DONE[deployment.kind]} {deployment.tag[:11]}{took}{f', but: {error}' if error else ''}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else line[: _MOST_CHARACTERS - 1] + "…"
