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
    def trust(self) -> Path:
        """The policy and the keys this host decides by: an administrator's, where there is one."""
        return self.root / "trust"

    @property
    def policy(self) -> Path:
        return self.trust / "policy.json"

    @property
    def keys(self) -> Path:
        return self.trust / "keys.json"

    @property
    def evidence_key(self) -> Path:
        """The private key with which this host signs what it says; never its SSH host key."""
        return self.root / "evidence_key"

    @property
    def env_identity(self) -> Path:
        """The private key with which this host opens an encrypted environment file."""
        return self.root / "env_identity"

    @property
    def hold(self) -> Path:
        """Who has locked this environment, and why; there while it is locked."""
        return self.root / "hold.json"

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
    def edge_record(self) -> Path:
        """Which of the edge's processes is the present one."""
        return self.root / "edge" / "instances.json"

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

    @property
    def backups(self) -> Path:
        """The dumps of the application's database, each with what is known of it."""
        return self.root / "backups"

    @property
    def watch(self) -> Path:
        """What the watcher remembers of front doors and drift."""
        return self.root / "watch"

    @property
    def watch_memory(self) -> Path:
        return self.watch / "state.json"

    @property
    def changes(self) -> Path:
        """What the watcher has seen change, a line each."""
        return self.watch / "changes.jsonl"

    def minutes(self, environment: str) -> Path:
        """What was seen of an environment's front door in each minute, a file a day."""
        return self.watch / "minutes" / environment

    @property
    def notifications(self) -> Path:
        """What was told to whom, and what is still to be told."""
        return self.root / "notifications"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    def release(self, tag: Tag) -> Path:
        return self.releases / tag

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
