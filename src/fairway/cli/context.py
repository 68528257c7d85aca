"""What most commands begin with: the configuration, a host's engine, the archive, and who is asking."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fairway.config import Config, Environment, Host
from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.remote.keeper import Keeper, keeper_of
from fairway.remote.session import EngineSession
from fairway.remote.transport import Transport, transport_for

if TYPE_CHECKING:
    from fairway.registry import Archive


def only_host(environment: Environment) -> Host:
    """Return the environment's host. Raises ``Invalid`` for several: they are not deployed to together yet."""
    if len(environment.hosts) != 1:
        raise Invalid(
            f"the environment {environment.name!r} has {len(environment.hosts)} hosts",
            why="this version deploys to one host per environment",
            hint="keep one host under hosts, or make an environment of each",
        )
    return environment.hosts[0]


def transport_to(environment: Environment) -> Transport:
    """Return the way to an environment's host."""
    return transport_for(only_host(environment), environment.ssh_config)


def open_engine(environment: Environment) -> EngineSession:
    """Connect to an environment's engine; the connection is made while the caller goes on."""
    return EngineSession(transport_to(environment), environment.deploy_path, environment.name)


def keeper_for(environment: Environment) -> Keeper:
    """Return who prepares an environment's host and keeps what it goes by."""
    return keeper_of(environment, only_host(environment))


@contextmanager
def open_sources(config: Config, names: Iterable[str]) -> Iterator[dict[str, EngineSession | FairwayError]]:
    """Connect to environments to hear what their hosts say; one that there is no way to from here is an error there."""
    from fairway.evidence.standing import open_sources as open_each

    with open_each(names, lambda name: open_engine(config.environment(name))) as found:
        yield found


def sources_of(target: Environment) -> tuple[str, ...]:
    """Return the environments whose word a release needs to go to this one."""
    return (target.promote_from,) if target.promote_from is not None else ()


def open_archive(config: Config) -> Archive:
    """Return the archive of the project's releases."""
    # An HTTP client takes half as long to import as a rollback takes altogether, and a rollback needs none.
    from fairway.registry import Archive, connect

    repository = config.release_repository
    return Archive(connect(repository.registry), repository)


def whoami() -> str:
    """Return who acts, for the record: the pipeline's actor in CI, else the user at this machine."""
    actor = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN")
    if actor:
        return f"{actor} (CI)"[:200]
    return f"{getpass.getuser()}@{socket.gethostname()}"[:200]
