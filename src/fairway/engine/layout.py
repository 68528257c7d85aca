"""Where things are on a host: the one place that knows the paths below the deploy path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fairway.engine.contract.manifest import DEPLOY_ENV
from fairway.engine.contract.names import Tag


@dataclass(frozen=True)
class Layout:
    """The deploy path and everything of Fairway's below it."""

    deploy_path: Path

    @property
    def root(self) -> Path:
        """Fairway's own directory."""
        return self.deploy_path / ".fairway"

    @property
    def engines(self) -> Path:
        return self.root / "engine"

    @property
    def host_config(self) -> Path:
        return self.root / "host.json"

    @property
    def docker_config(self) -> Path:
        """``DOCKER_CONFIG`` of every Docker call: the registry login, apart from the user's own."""
        return self.root / "docker"

    @property
    def edge(self) -> Path:
        """What the edge reads: its configuration."""
        return self.root / "edge"

    @property
    def edge_run(self) -> Path:
        """What the edge writes: its sockets."""
        return self.root / "edge" / "run"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.jsonl"

    @property
    def deployments(self) -> Path:
        return self.root / "deployments"

    @property
    def deploy_env(self) -> Path:
        """Image references of the running release; written by Fairway, read by Compose."""
        return self.deploy_path / DEPLOY_ENV

    def deployment(self, deployment_id: str) -> Path:
        return self.deployments / deployment_id

    def release(self, tag: Tag) -> Path:
        return self.root / "releases" / tag

    def create(self) -> None:
        """Make Fairway's directories, readable by their owner only."""
        for directory in (
            self.root,
            self.engines,
            self.docker_config,
            self.edge,
            self.edge_run,
            self.deployments,
        ):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
