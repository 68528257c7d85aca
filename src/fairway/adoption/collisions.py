"""Where an environment of ``fairway.toml`` and what runs on its host already would get into each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

_EVERYWHERE = ("", "0.0.0.0")  # noqa: S104 - compared with, never bound to


@dataclass(frozen=True)
class Wanted:
    """What the new path takes on the host. ``volumes`` and ``containers`` are those with a name of their own."""

    environment: str
    project: str
    port: str
    deploy_path: str
    volumes: frozenset[str] = field(default_factory=frozenset)
    containers: frozenset[str] = field(default_factory=frozenset)

    @property
    def port_number(self) -> int:
        """The published port without its address."""
        return int(self.port.rpartition(":")[2])

    @property
    def address(self) -> str:
        """The address to publish on, empty for all."""
        return self.port.rpartition(":")[0]


@dataclass(frozen=True)
class Collision:
    """Something both want: what it is, why they cannot share it, what to change."""

    what: str
    why: str
    fix: str


def find_collisions(survey: dict[str, Any], wanted: Wanted) -> list[Collision]:
    """Return everything that collides; nothing when the way is clear."""
    kinds = (_project, _container_names, _port, _deploy_path, _volumes)
    return [collision for kind in kinds for collision in kind(survey, wanted)]


def runs_by_hand(project: dict[str, Any]) -> bool:
    """Say whether a person started the project, or a part of it."""
    return not project["fairway"] or bool(project["config_files"])


def _project(survey: dict[str, Any], wanted: Wanted) -> Iterator[Collision]:
    for project in survey["projects"]:
        if project["name"] == wanted.project and runs_by_hand(project):
            yield Collision(
                f"the Compose project {wanted.project} is there already",
                f"it was started from {_files(project)}; two of one name replace each other's containers",
                f'in fairway.toml: project = "{wanted.project}-fairway"',
            )


def _container_names(survey: dict[str, Any], wanted: Wanted) -> Iterator[Collision]:
    own = {f"{wanted.project}-{part}" for part in ("edge", "app-blue", "app-green")} | wanted.containers
    for project, service in _services(survey):
        if project["name"] != wanted.project and service["container"] in own:
            yield Collision(
                f"a container of {project['name']} is named {service['container']}",
                "Docker knows one container of a name, and the new path has one of this name too",
                "another project in fairway.toml, or no container_name in its compose file",
            )


def _port(survey: dict[str, Any], wanted: Wanted) -> Iterator[Collision]:
    for project, service in _services(survey):
        for port in service["ports"]:
            if port["port"] == wanted.port_number and _overlap(port["address"], wanted.address):
                if project["name"] == wanted.project and project["fairway"]:
                    return
                yield _taken(survey, wanted, f"{project['name']} publishes it for {service['name']}")
                return
    for entry in survey["listening"]:
        if entry["port"] == wanted.port_number and _overlap(entry["address"], wanted.address):
            yield _taken(survey, wanted, "something on the host listens there")
            return


def _taken(survey: dict[str, Any], wanted: Wanted, why: str) -> Collision:
    return Collision(
        f"the port {wanted.port} is taken",
        why,
        f'in fairway.toml, environments.{wanted.environment}: port = "127.0.0.1:{free_port(survey, wanted)}"',
    )


def free_port(survey: dict[str, Any], wanted: Wanted) -> int:
    """Return a port near the wanted one that nothing on the host has."""
    taken = {entry["port"] for entry in survey["listening"]}
    taken |= {port["port"] for _, service in _services(survey) for port in service["ports"]}
    start = wanted.port_number + 100 if wanted.port_number <= 65000 else 3100
    return next(port for port in range(start, 65536) if port not in taken)


def _deploy_path(survey: dict[str, Any], wanted: Wanted) -> Iterator[Collision]:
    path = survey["deploy_path"]
    fix = (
        f"in fairway.toml, environments.{wanted.environment}: "
        f'deploy_path = "{PurePosixPath(wanted.deploy_path).parent / (wanted.project + "-fairway")}"'
    )
    owner = path["belongs_to"]
    if owner and owner != {"project": wanted.project, "environment": wanted.environment}:
        yield Collision(
            f"the deploy path {path['path']} is another deployment's",
            f"it belongs to {owner['project']} ({owner['environment']})",
            fix,
        )
    for project in survey["projects"]:
        places = {project["working_dir"], *(str(PurePosixPath(file).parent) for file in project["config_files"])}
        if runs_by_hand(project) and places & {path["path"], path["real"]}:
            yield Collision(
                f"the deploy path {path['path']} is where {project['name']} lives",
                "the new path writes files there: its compose file, deploy.env, the bundle",
                fix,
            )


def _volumes(survey: dict[str, Any], wanted: Wanted) -> Iterator[Collision]:
    for project, service in _services(survey):
        for mount in service["mounts"]:
            if project["name"] != wanted.project and mount["kind"] == "volume" and mount["source"] in wanted.volumes:
                yield Collision(
                    f"the volume {mount['source']} is in use by {service['container']}",
                    "two databases on one volume destroy it",
                    "give the volume in the new compose file another name, "
                    "or use the database that runs: --same-database",
                )


def _services(survey: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for project in survey["projects"]:
        for service in project["services"]:
            yield project, service


def _overlap(one: str, other: str) -> bool:
    return one in _EVERYWHERE or other in _EVERYWHERE or one == other


def _files(project: dict[str, Any]) -> str:
    return ", ".join(project["config_files"]) or project["working_dir"] or "somewhere unknown"
