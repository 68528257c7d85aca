"""Who prepares a host and keeps what it goes by: an administrator where one is named, else the deploy user."""

from __future__ import annotations

from dataclasses import dataclass

from fairway.config import Environment, Host
from fairway.remote.session import AdminSession, EngineSession, UpkeepSession
from fairway.remote.transport import DeployUserTransport, Login, Transport, admin_transport, transport_for


@dataclass(frozen=True)
class Keeper:
    """One host's keeper.

    ``transport`` is the keeper's own way in, ``deploying`` one that acts as the deploy
    user. ``deploy_user`` is whom an administrator keeps the host from, None where the
    deploy user keeps it.
    """

    environment: Environment
    transport: Login
    deploying: Transport
    deploy_user: str | None

    @property
    def user(self) -> str:
        """Who keeps it, for people."""
        return self.transport.user

    def session(self) -> EngineSession:
        """Connect to the engine as the keeper."""
        kind = EngineSession if self.deploy_user is None else AdminSession
        return kind(self.transport, self.environment.deploy_path, self.environment.name)

    def deploy_session(self) -> EngineSession:
        """Connect to the engine as the deploy user, who needs no key for that where an administrator has one."""
        return EngineSession(self.deploying, self.environment.deploy_path, self.environment.name)

    def upkeep_session(self) -> EngineSession:
        """Connect to the engine for what a deploy key alone may not do where an administrator keeps the host."""
        kind = EngineSession if self.deploy_user is None else UpkeepSession
        return kind(self.deploying, self.environment.deploy_path, self.environment.name)


def keeper_of(environment: Environment, host: Host) -> Keeper:
    """Return who keeps a host of an environment."""
    deploying = transport_for(host, environment.ssh_config)
    if environment.admin is None:
        return Keeper(environment, deploying, deploying, None)
    admin = admin_transport(host, environment.admin, environment.ssh_config)
    user = deploying.user
    return Keeper(environment, admin, DeployUserTransport(admin, user), user)
