"""What the pipeline's files are written from: ``fairway.toml``, and the little that it does not say."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.config import Config
from fairway.config.environment import default_prefix
from fairway.engine.contract.errors import Invalid
from fairway.workflows.answers import Provider
from fairway.workflows.tree import Tree


@dataclass(frozen=True)
class Target:
    """An environment as a pipeline sees it. ``workflow`` is the name of the file that deploys to it."""

    name: str
    prefix: str
    promote_from: str | None
    deploy_path: str

    @property
    def workflow(self) -> str:
        """The user's names: ``deploy-staging``, and ``deploy-prod`` for production."""
        return "deploy-prod" if self.name == "production" else f"deploy-{self.name}"


@dataclass(frozen=True)
class Pipeline:
    """The one model of which GitHub's, GitLab's and the shell's files are made."""

    project: str
    provider: Provider
    branch: str
    registry: str
    targets: tuple[Target, ...]
    env_file: str
    compose_file: str
    node_version_file: str | None
    python_version_file: str | None
    node: bool = False
    ruby: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        """What Debian calls the toolchains that the stages need beside Python, where the image has none."""
        node = ("nodejs", "npm") if self.node else ()
        return (*node, *(("build-essential", "libpq-dev", "libyaml-dev", "ruby-full") if self.ruby else ()))

    @property
    def own_registry(self) -> bool:
        """Whether the images go to the registry beside the repository, where a job's own token is enough."""
        if self.provider is Provider.GITHUB:
            return self.registry == "ghcr.io"
        return self.provider is Provider.GITLAB and self.registry.startswith("registry.gitlab")

    def target(self, name: str) -> Target:
        """Return an environment by its name."""
        return next(one for one in self.targets if one.name == name)


def pipeline_of(config: Config, tree: Tree, provider: Provider, branch: str) -> Pipeline:
    """Return the model of a repository's pipeline.

    Raises ``Invalid`` where the file does not say what a pipeline needs to know.
    """
    if config.requires is None:
        raise Invalid(
            "fairway.toml: requires: is missing",
            why="the pipeline installs the Fairway that it names",
            hint='add a line like requires = "==0.1.*" at the top',
        )
    if not config.environments:
        raise Invalid("fairway.toml has no environments yet", hint="add a table like [environments.staging]")
    targets = []
    for name in config.environment_order:
        table = config.environments[name]
        prefix = table.secrets_prefix or default_prefix(name)
        targets.append(Target(name, prefix, table.promote_from, table.deploy_path or f"${prefix}_DEPLOY_PATH"))
    return Pipeline(
        project=config.project,
        provider=provider,
        branch=branch,
        registry=config.images.app.registry,
        targets=tuple(targets),
        env_file=config.env.file,
        compose_file=config.compose.file,
        node_version_file=tree.first(".nvmrc", ".node-version"),
        python_version_file=tree.first(".python-version"),
        node=tree.has("package.json"),
        ruby=tree.has("Gemfile"),
    )
