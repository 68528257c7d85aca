"""Hand over what a service's container says, without this host's secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from fairway.engine import docker
from fairway.engine.contract.errors import FairwayError, Invalid
from fairway.engine.drivers.containers import Containers
from fairway.engine.edge import Edge
from fairway.engine.envfile import parse_env, read_source
from fairway.engine.hostconfig import HostConfig
from fairway.engine.instances.record import read_record
from fairway.engine.layout import Layout
from fairway.engine.model import Naming
from fairway.engine.process import run, stream
from fairway.engine.redact import Redactor
from fairway.engine.releases import load_release
from fairway.engine.state import read_state

APP = "app"
EDGE = "edge"


def stream_logs(
    layout: Layout, host: HostConfig, service: str, *, tail: int, follow: bool, on_line: Callable[[str], None]
) -> None:
    """Stream a container's log: ``app`` is the slot that serves, ``edge`` the edge, else a Compose service.

    Raises ``Invalid`` when there is no such container.
    """
    name = _container_name(layout, host, service)
    redact = Redactor(_settings(layout), *_started_with(layout, host), addresses=host.secret_addresses)
    env = docker.environment(layout.docker_config)
    stream(
        docker.logs(name, tail=tail, follow=follow, timestamps=True),
        env=env,
        on_line=lambda s: on_line(redact(s)),
    )


def _container_name(layout: Layout, host: HostConfig, service: str) -> str:
    naming = Naming(host.project)
    if service == EDGE:
        return naming.edge_instance(read_record(layout.edge_record).current)
    if service == APP:
        active = Edge(layout.edge, layout.edge_run).active()
        if active is None:
            raise Invalid("nothing serves on this host", hint="fairway status")
        return naming.slot(active)
    done = run(docker.find_service(host.project, service), env=docker.environment(layout.docker_config))
    names = done.stdout.split()
    if not names:
        raise Invalid(
            f"no container of the service {service!r} on this host",
            hint="app, edge, or a service of the compose file",
        )
    return names[0]


def _started_with(layout: Layout, host: HostConfig) -> list[Mapping[str, str]]:
    """Return what the project's containers were started with: a file that was changed since has other secrets."""
    containers = Containers(layout, Redactor({}))
    return [container.environment for container in containers.of_project(host.project)]


def _settings(layout: Layout) -> dict[str, str]:
    active = read_state(layout.state).active
    if active is None:
        return {}
    file = load_release(layout, active.tag).release.env.file
    try:
        source = read_source(layout, file)
        return parse_env(source.text, str(source.path))
    except (OSError, ValueError, FairwayError):
        raise Invalid(
            f"{file} cannot be read, so its secrets cannot be kept out of the log",
            hint="mend the file first: fairway doctor <environment>",
        ) from None
