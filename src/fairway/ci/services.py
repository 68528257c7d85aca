"""A stage's services: started by Compose in a project of their own, and removed with their volumes.

Whatever port the file publishes is published on one that Docker chooses instead, on the loopback, so that
stages beside each other, and a database that runs here anyway, are not in each other's way. The stage is
told in variables where its services are.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from fairway import process
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.process_group import How, Stop, supervise
from fairway.release.docker import Docker, find_docker

_LOOPBACK = "127.0.0.1"
_STOP_S = 1
# Compose's client finishes what it waits for before it ends; whatever it has begun is removed right after.
_CLIENT_GRACE_S = 2.0


class Stopped(Exception):
    """The services were still starting when everything was asked to end."""


@dataclass(frozen=True)
class Port:
    """A port that a service publishes."""

    target: int
    protocol: str


@contextmanager
def running(
    file: Path,
    services: Sequence[str],
    *,
    project: str,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    stop: Stop,
    timeout_s: float,
) -> Iterator[dict[str, str]]:
    """Have services healthy for as long as the block lasts; yield the variables that tell where they are.

    Raises ``Failed`` with what Compose said when they do not come up, ``Invalid`` when the file has no such
    service, ``Stopped`` when asked to end meanwhile. However it ends, nothing of the project is left.
    """
    docker = find_docker(environ)
    rendered = _rendered(docker, file, project, environ)
    needed = with_dependencies(rendered, services, file)
    ports = {name: published(rendered["services"][name]) for name in needed}
    host, bound = reached_at(environ)
    with tempfile.TemporaryDirectory(prefix="fairway-ci-") as directory:
        override = Path(directory) / "ports.yml"
        override.write_text(override_text(ports, bound), encoding="utf-8")
        compose = docker("compose", "--project-name", project, "--file", str(file), "--file", str(override))
        try:
            _up(compose, services, file, environ, say, stop, timeout_s)
            yield variables(ports, _chosen(compose, environ), host)
        finally:
            _down(docker, compose, project, environ, say)


def sweep(file: Path, beginning: str, environ: Mapping[str, str]) -> list[str]:
    """Remove what a run of this checkout has left that was killed; return the projects.

    To be called while no other run of the checkout goes on. ``beginning`` is that of the projects' names.
    """
    docker = find_docker(environ)
    label = "com.docker.compose.project"
    here = ("--filter", f"label={label}.working_dir={file.parent}", "--format", f'{{{{.Label "{label}"}}}}')
    listed = process.run(docker("ps", "--all", *here), env=environ).or_fail("Docker cannot be asked what is left")
    projects = sorted({name for name in listed.split() if name.startswith(beginning)})
    for project in projects:
        _down(docker, docker("compose", "--project-name", project), project, environ, lambda line: None)
    return projects


def with_dependencies(rendered: Mapping[str, Any], services: Iterable[str], file: Path) -> list[str]:
    """Return the services and all that they depend on. Raises ``Invalid`` when the file has not one of them.

    A volume that has a name of its own is refused: stages would share it, and removing it with the stage
    could remove what is not of CI.
    """
    known: Mapping[str, Any] = rendered.get("services") or {}
    found: list[str] = []
    waiting = list(services)
    while waiting:
        name = waiting.pop(0)
        if name not in known:
            raise Invalid(f"{file.name} has no service {name!r}", why=f"it has {', '.join(known) or 'none'}")
        if name not in found:
            found.append(name)
            waiting += known[name].get("depends_on") or {}
    for key, volume in (rendered.get("volumes") or {}).items():
        if not volume.get("external") and volume.get("name") != f"{rendered.get('name')}_{key}":
            raise Invalid(
                f"{file.name}: the volume {key} has the name {volume.get('name')!r}",
                why="stages that run beside each other would share it, and it is removed after each",
                hint="leave out its name: Compose then gives each run one of its own",
            )
    return found


def published(service: Mapping[str, Any]) -> tuple[Port, ...]:
    """Return the ports that a service of the rendered file publishes."""
    found = [Port(int(one["target"]), str(one.get("protocol") or "tcp")) for one in service.get("ports") or []]
    return tuple(dict.fromkeys(found))


def override_text(ports: Mapping[str, Sequence[Port]], bound: str) -> str:
    """Return the Compose file that lets Docker choose the ports, and the names of the containers."""
    lines = ["services:"]
    for service, each in ports.items():
        lines += [f"  {json.dumps(service)}:", "    container_name: !reset null"]
        if each:
            lines.append("    ports: !override")
            lines += [f"      - {json.dumps(f'{bound}{port.target}/{port.protocol}')}" for port in each]
    return "\n".join(lines) + "\n"


def reached_at(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return where published ports are reached, and what binds them there: where Docker is, maybe not here."""
    if given := environ.get("FAIRWAY_CI_SERVICES_HOST"):
        return given, ""
    host = urlsplit(environ.get("DOCKER_HOST", ""))
    if host.scheme in ("tcp", "ssh") and host.hostname not in (None, "localhost", _LOOPBACK):
        return str(host.hostname), ""
    return _LOOPBACK, f"{_LOOPBACK}::"


def variables(ports: Mapping[str, Sequence[Port]], chosen: Mapping[tuple[str, Port], int], host: str) -> dict[str, str]:
    """Return ``CI_<SERVICE>_HOST``, ``_PORT`` (its first) and ``_PORT_<number in the file>`` of each service.

    >>> variables({"my-db": [Port(5432, "tcp")]}, {("my-db", Port(5432, "tcp")): 49153}, "127.0.0.1")
    {'CI_MY_DB_HOST': '127.0.0.1', 'CI_MY_DB_PORT': '49153', 'CI_MY_DB_PORT_5432': '49153'}
    """
    found: dict[str, str] = {}
    for service, each in ports.items():
        prefix = "CI_" + re.sub(r"[^A-Z0-9]", "_", service.upper())
        known = [(port, chosen[service, port]) for port in each if (service, port) in chosen]
        if known:
            found |= {f"{prefix}_HOST": host, f"{prefix}_PORT": str(known[0][1])}
            found |= {f"{prefix}_PORT_{port.target}": str(number) for port, number in reversed(known)}
    return found


def _rendered(docker: Docker, file: Path, project: str, environ: Mapping[str, str]) -> dict[str, Any]:
    command = docker("compose", "--project-name", project, "--file", str(file), "config", "--format", "json")
    text = process.run(command, env=environ, cwd=file.parent).or_fail(f"Compose cannot read {file.name}")
    rendered = json.loads(text)
    return rendered if isinstance(rendered, dict) else {}


def _up(
    compose: Sequence[str],
    services: Sequence[str],
    file: Path,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    stop: Stop,
    timeout_s: float,
) -> None:
    begun = monotonic()
    # Without a terminal Compose would say each layer of a pull in a line of its own.
    command = [*compose, "--progress", "quiet", "up", "--detach", "--wait", "--quiet-pull", *services]
    ended = supervise(
        command, say, env=environ, cwd=file.parent, timeout_s=timeout_s, stop=stop, grace_s=_CLIENT_GRACE_S
    )
    if ended.how is How.STOPPED:
        raise Stopped
    listed = ", ".join(services)
    if ended.how is How.EXITED and ended.returncode == 0:
        say(f"fairway: {listed} healthy after {monotonic() - begun:.1f} s")
        return
    said = process.run([*compose, "logs", "--no-color", "--tail", "50"], env=environ, cwd=file.parent)
    for line in said.stdout.splitlines():
        say(line)
    took = f"within {timeout_s:g} s" if ended.how is How.TIMED_OUT else "healthy"
    raise Failed(f"the services did not come up {took}: {listed}", hint="their logs are in the stage's log")


def _chosen(compose: Sequence[str], environ: Mapping[str, str]) -> dict[tuple[str, Port], int]:
    listed = process.run([*compose, "ps", "--format", "json"], env=environ).or_fail("Compose cannot tell the ports")
    found: dict[tuple[str, Port], int] = {}
    for line in listed.splitlines():
        container = json.loads(line)
        for one in container.get("Publishers") or []:
            if one.get("PublishedPort"):
                port = Port(int(one["TargetPort"]), str(one.get("Protocol") or "tcp"))
                found[container["Service"], port] = int(one["PublishedPort"])
    return found


def _down(
    docker: Docker, compose: Sequence[str], project: str, environ: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Remove everything of the project. Raises ``Failed`` when something of it is left."""
    label = f"label=com.docker.compose.project={project}"
    begun, why = monotonic(), ""
    # More than once: a client that was ended in the middle may have asked for one more container.
    for _ in range(3):
        try:
            done = process.run(
                [*compose, "down", "--volumes", "--remove-orphans", "--timeout", str(_STOP_S)], env=environ
            )
            left = process.run(docker("ps", "--all", "--quiet", "--filter", label), env=environ)
        except FairwayError as error:
            why = error.what
            continue
        if done.returncode == 0 and left.returncode == 0 and not left.stdout.strip():
            say(f"fairway: services removed in {monotonic() - begun:.1f} s")
            return
        why = done.tail or left.tail
    raise Failed(
        f"the services of {project} could not be removed",
        why=why,
        hint=f"remove them with: docker compose --project-name {project} down --volumes",
    )
