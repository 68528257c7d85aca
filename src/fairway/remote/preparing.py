"""Prepare a host for deployments: engine, configuration, registry login."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from fairway.config import Config, Environment
from fairway.config.environment import default_prefix
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.protocol import Operation
from fairway.registry import find_credentials
from fairway.remote.bootstrap import install_engine
from fairway.remote.session import EngineSession
from fairway.remote.transport import Transport


class Steps(Protocol):
    """Shows each step of the preparation."""

    def step(self, name: str) -> AbstractContextManager[None]: ...


def prepare_host(config: Config, target: Environment, transport: Transport, progress: Steps) -> None:
    """Put the engine on the host, tell it what it is, and log it in to the registries. Safe to repeat."""
    with progress.step("engine"):
        install_engine(transport, target.deploy_path)
    with EngineSession(transport, target.deploy_path) as engine:
        host = {
            "project": config.project,
            "environment": target.name,
            "port": str(target.port),
            "edge_image": target.edge_image,
            "proven_only": target.promote_from is not None,
        }
        with progress.step("configuration"):
            engine.call(Operation.CONFIGURE, host=host)
        for registry in sorted({config.images.app.registry, config.images.migrator.registry}):
            with progress.step(f"login {registry}"):
                username, password = _login(target, registry)
                engine.call(Operation.LOGIN, registry=registry, username=username, password=password)


def _login(target: Environment, registry: str) -> tuple[str, str]:
    """Return what the host logs in with: the environment's own login, or this machine's."""
    if target.login is not None and target.login.registry == registry:
        return target.login.username, target.login.token.get_secret_value()
    credentials = find_credentials(registry)
    if credentials is None or not credentials.username:
        raise Invalid(
            f"there is no login for {registry} to give to the host",
            hint=f"docker login {registry} here, or set {default_prefix(target.name)}_GHCR_USERNAME and _GHCR_TOKEN",
        )
    return credentials.username, credentials.password
