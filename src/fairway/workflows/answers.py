"""What cannot be seen in a repository and is asked: the questions, their defaults, and what an answer must be."""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from fairway.config import checks
from fairway.config.hosts import parse_host
from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.names import Repository, project_name
from fairway.workflows.survey import Stack, Survey
from fairway.workflows.tree import Tree


class Provider(enum.Enum):
    """Where the pipeline runs."""

    GITHUB = "github"
    GITLAB = "gitlab"
    SHELL = "shell"


@dataclass(frozen=True)
class Answers:
    """Everything that was asked, checked."""

    project: str
    images: str
    provider: Provider
    branch: str
    staging: str
    production: str
    deploy_path: str
    port: int | str
    app_port: int
    ready_path: str
    start: tuple[str, ...]
    admin: str

    @property
    def app_image(self) -> str:
        """The application's image repository."""
        return f"{self.images}/{self.project}-app"

    @property
    def migrator_image(self) -> str:
        """The migrator's."""
        return f"{self.images}/{self.project}-migrator"


@dataclass(frozen=True)
class Question:
    """One question. ``default`` is None where nothing sensible can be said, and empty where nothing is an answer."""

    name: str
    text: str
    default: str | None
    check: Callable[[str], object]

    def problem(self, answer: str) -> str | None:
        """Return the end of a sentence about the answer, "must be ...", or None when it is fine."""
        try:
            self.check(answer)
        except (ValueError, FairwayError) as error:
            return str(error).split("\n")[0]
        return None


def questions(survey: Survey, tree: Tree, provider: Provider) -> tuple[Question, ...]:
    """Return what is to be asked of a repository, in order."""
    asked = [
        Question("project", "Name of the project", survey.name, project_name),
        Question("images", "Where its images go, without their names", _images(tree, provider), _images_check),
        Question("branch", "The branch that releases are made of", tree.branch, _BRANCH),
        Question("staging", "Staging host, user@host (empty: STAGING_SSH_HOST says it)", "", _host),
        Question("production", "Production host (empty: PROD_SSH_HOST says it)", "", _host),
        Question("admin", "Who administers the hosts, over SSH (empty: the deploy user itself)", "root", _admin),
        Question("deploy-path", "Directory on the hosts", f"/opt/{survey.name}", checks.deploy_path),
        Question("port", "Where it is published on a host", "127.0.0.1:3000", checks.published_port),
        Question("app-port", "Port the application listens on in its container", str(survey.app_port), _port),
        Question("ready-path", "Path that answers 200 when it can serve", survey.ready_path or "/api/ready", _READY),
    ]
    derived = survey.stack is Stack.OTHER and tree.has("Dockerfile")
    if not survey.start and not derived and not tree.has("Dockerfile.prod"):
        asked.append(Question("start", "Command that starts it in its container", None, _START))
    return tuple(asked)


_BRANCH = checks.matching(r"(?![-/.])[A-Za-z0-9._/-]{1,100}", "a branch's name")
_READY = checks.matching(r"/[A-Za-z0-9._~/%?=&-]{0,254}", "a path that starts with '/'")
_START = checks.matching(r"[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*", "a command")


def _port(text: str) -> int:
    return checks.port_number(text)


def _host(text: str) -> None:
    if text:
        parse_host(text)


def _admin(text: str) -> None:
    if text:
        checks.matching(checks.USER, "a user name")(text)


def _images_check(text: str) -> Repository:
    return checks.repository(f"{text}/app")


def _images(tree: Tree, provider: Provider) -> str | None:
    """Return the registry that belongs to where the repository itself is."""
    found = re.fullmatch(r"https?://(?P<host>[^/]+)/(?P<owner>.+)/(?P<name>[^/]+)", tree.source or "")
    if not found:
        return None
    owner = found["owner"].lower()
    if found["host"] == "github.com":
        return f"ghcr.io/{owner}"
    if found["host"] == "gitlab.com" or provider is Provider.GITLAB:
        return f"registry.{found['host']}/{owner}/{found['name'].lower()}"
    return None


def likely_provider(tree: Tree) -> Provider:
    """Return where the pipeline of a repository most likely runs."""
    host = (tree.source or "").partition("://")[2].partition("/")[0]
    if "gitlab" in host or (tree.has(".gitlab-ci.yml") and "github" not in host):
        return Provider.GITLAB
    return Provider.GITHUB


def of_texts(texts: dict[str, str], survey: Survey, provider: Provider) -> Answers:
    """Make the answers of texts that were checked."""
    start = shlex.split(texts.get("start", ""))
    port = checks.published_port(texts["port"])
    return Answers(
        project=texts["project"],
        images=texts["images"],
        provider=provider,
        branch=texts["branch"],
        staging=texts["staging"],
        production=texts["production"],
        deploy_path=checks.deploy_path(texts["deploy-path"]),
        port=int(port) if port.isdigit() else port,
        app_port=checks.port_number(texts["app-port"]),
        ready_path=texts["ready-path"],
        start=tuple(start) or survey.start,
        admin=texts["admin"],
    )
