"""What runs on a host already: Compose projects, read from what Docker says of their containers.

Pure functions over ``docker container inspect`` and ``docker image inspect``. No
value of a container's environment leaves this module: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from fairway.engine.model import LABEL

COMPOSE = "com.docker.compose."
_KINDS = (
    ("postgres", 5432, re.compile(r"postg(res|is)|timescale|pgvector")),
    ("redis", 6379, re.compile(r"redis|valkey|keydb")),
)
_PROXIES = re.compile(r"(^|/)(nginx|caddy|traefik|haproxy)\b")
_HOST_KEY = re.compile(r"HOST|SERVER|ADDR", re.IGNORECASE)
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - read, never bound to


@dataclass(frozen=True)
class Port:
    """A published port: ``port`` of the host, on ``address`` or everywhere, leads to ``target`` in the container."""

    address: str
    port: int
    target: int


@dataclass(frozen=True)
class Mount:
    """A volume by name, or a directory of the host by path, and where the container has it."""

    kind: str
    source: str
    target: str


@dataclass(frozen=True)
class Service:
    """One container of a project. ``kind`` is ``postgres``, ``redis``, ``proxy`` or nothing known."""

    name: str
    container: str
    image: str
    built_here: bool
    state: str
    kind: str
    ports: tuple[Port, ...]
    mounts: tuple[Mount, ...]
    networks: tuple[str, ...]


@dataclass(frozen=True)
class Project:
    """A Compose project. ``fairway`` says that Fairway runs it, not a person."""

    name: str
    config_files: tuple[str, ...]
    working_dir: str
    fairway: bool
    services: tuple[Service, ...]

    def service(self, kind: str) -> Service | None:
        """Return the first service of a kind."""
        return next((service for service in self.services if service.kind == kind), None)

    def as_json(self) -> dict[str, Any]:
        """Return the project as a document."""
        return asdict(self)


def read_projects(containers: Iterable[Mapping[str, Any]], images: Mapping[str, Mapping[str, Any]]) -> list[Project]:
    """Put containers together into projects, by name. ``images`` are the inspected images by id."""
    members: dict[str, list[Mapping[str, Any]]] = {}
    for container in containers:
        labels = _labels(container)
        if labels.get(COMPOSE + "project") and labels.get(COMPOSE + "oneoff") != "True":
            members.setdefault(labels[COMPOSE + "project"], []).append(container)
    return [_project(name, members[name], images) for name in sorted(members)]


def _project(name: str, members: list[Mapping[str, Any]], images: Mapping[str, Mapping[str, Any]]) -> Project:
    files: dict[str, None] = {}
    for container in members:
        # A model on standard input, as Fairway gives it, has no file.
        for file in _labels(container).get(COMPOSE + "project.config_files", "").split(","):
            if file and file != "-":
                files[file] = None
    services = sorted((_service(c, images.get(str(c.get("Image")), {})) for c in members), key=lambda s: s.container)
    return Project(
        name=name,
        config_files=tuple(files),
        working_dir=next((d for c in members if (d := _labels(c).get(COMPOSE + "project.working_dir"))), ""),
        fairway=any(LABEL + "project" in _labels(container) for container in members),
        services=tuple(services),
    )


def _service(container: Mapping[str, Any], image: Mapping[str, Any]) -> Service:
    config = container.get("Config") or {}
    name = str(config.get("Image", ""))
    exposed = {int(key.partition("/")[0]) for key in (config.get("ExposedPorts") or {}) if key.endswith("/tcp")}
    return Service(
        name=_labels(container).get(COMPOSE + "service", ""),
        container=str(container.get("Name", "")).lstrip("/"),
        image=name,
        # What was neither pulled nor pushed has no digest in any registry: it was built where it stands.
        built_here=not image.get("RepoDigests")
        or COMPOSE + "project" in ((image.get("Config") or {}).get("Labels") or {}),
        state=str((container.get("State") or {}).get("Status", "")),
        kind=_kind(name, exposed),
        ports=_ports(container),
        mounts=tuple(
            Mount(str(m.get("Type")), str(m.get("Name") or m.get("Source")), str(m.get("Destination")))
            for m in container.get("Mounts") or []
        ),
        networks=tuple(sorted((container.get("NetworkSettings") or {}).get("Networks") or {})),
    )


def _kind(image: str, exposed: set[int]) -> str:
    name = image.partition("@")[0].rpartition("/")[2]
    for kind, port, pattern in _KINDS:
        if pattern.search(name) or port in exposed:
            return kind
    return "proxy" if _PROXIES.search(image) else ""


def _ports(container: Mapping[str, Any]) -> tuple[Port, ...]:
    """Return what the container publishes, or will when it is started."""
    found: dict[Port, None] = {}
    now = (container.get("NetworkSettings") or {}).get("Ports") or {}
    wanted = (container.get("HostConfig") or {}).get("PortBindings") or {}
    for bindings in (wanted, now):
        for target, entries in bindings.items():
            number, _, protocol = target.partition("/")
            for entry in entries or []:
                if protocol == "tcp" and entry.get("HostPort"):
                    address = "" if entry.get("HostIp") in _EVERYWHERE else str(entry["HostIp"])
                    found[Port(address, int(entry["HostPort"]), int(number))] = None
    return tuple(sorted(found, key=lambda port: (port.port, port.address)))


@dataclass(frozen=True)
class Setting:
    """A variable of the application that names the database's host: as it is, or within a URL."""

    key: str
    form: str


@dataclass(frozen=True)
class Database:
    """The application's PostgreSQL, and how a container of another project reaches it."""

    service: str
    container: str
    state: str
    networks: tuple[str, ...]
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Application:
    """What looks like the application that runs already, and why."""

    project: str
    service: str
    port: int
    address: str
    why: tuple[str, ...]
    database: Database | None

    def as_json(self) -> dict[str, Any]:
        """Return the application as a document."""
        return asdict(self)


def leads_to(port: Port, host: str, number: int) -> bool:
    """Say whether an address on this host is answered by a published port."""
    bare = host.strip("[]")
    if port.port != number:
        return False
    return port.address in ("", bare) or (port.address == "127.0.0.1" and bare == "localhost")


def choose_application(
    projects: Iterable[Project],
    forwarded: Iterable[tuple[str, int]],
    *,
    like: str,
    containers: Iterable[Mapping[str, Any]] = (),
) -> Application | None:
    """Return the project that looks most like the application, or None when none does or two do alike.

    ``forwarded`` are the hosts and ports of this machine that its nginx forwards
    to; ``like`` is the name that the new path's project has.
    """
    targets = list(forwarded)
    scored = []
    for project in projects:
        published = [] if project.fairway else _candidates(project, targets)
        if published:
            reasons = _reasons(project, published[0][1], targets, like)
            scored.append((sum(weight for weight, _ in reasons), project, published[0], reasons))
    scored.sort(key=lambda entry: -entry[0])
    if not scored or (len(scored) > 1 and scored[0][0] == scored[1][0]):
        return None
    _, project, (service, port), reasons = scored[0]
    return Application(
        project=project.name,
        service=service.name,
        port=port.port,
        address=port.address,
        why=tuple(words for _, words in reasons),
        database=_database(project, service, containers),
    )


def _candidates(project: Project, forwarded: list[tuple[str, int]]) -> list[tuple[Service, Port]]:
    """Return the ports that may be the application's, the likeliest first."""
    found = [(s, p) for s in project.services if s.kind not in ("postgres", "redis") for p in s.ports]
    return sorted(found, key=lambda pair: not any(leads_to(pair[1], *target) for target in forwarded))


def _reasons(project: Project, port: Port, forwarded: list[tuple[str, int]], like: str) -> list[tuple[int, str]]:
    reasons = []
    if any(leads_to(port, *target) for target in forwarded):
        reasons.append((8, f"nginx forwards to its port {port.port}"))
    if like and (project.name.startswith(like) or like.startswith(project.name)):
        reasons.append((4, "its name is like the new one's"))
    for kind, words in (("postgres", "PostgreSQL"), ("redis", "Redis")):
        if project.service(kind):
            reasons.append((1, f"it has {words}"))
    return reasons


def _database(project: Project, app: Service, containers: Iterable[Mapping[str, Any]]) -> Database | None:
    service = project.service("postgres")
    if service is None:
        return None
    by_name = {str(c.get("Name", "")).lstrip("/"): c for c in containers}
    shared = [name for name in service.networks if name in app.networks]
    environment = (by_name.get(app.container, {}).get("Config") or {}).get("Env") or []
    return Database(
        service=service.name,
        container=service.container,
        state=service.state,
        networks=tuple(shared or service.networks),
        settings=_settings(environment, {service.name, service.container}),
    )


def _settings(environment: Iterable[str], names: set[str]) -> tuple[Setting, ...]:
    """Return which variables name the database's host. Their values stay here."""
    found = []
    for line in environment:
        key, _, value = line.partition("=")
        if value in names and _HOST_KEY.search(key):
            found.append(Setting(key, "host"))
        elif "://" in value and _host_of(value) in names:
            found.append(Setting(key, "url"))
    return tuple(found)


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _labels(container: Mapping[str, Any]) -> dict[str, str]:
    return (container.get("Config") or {}).get("Labels") or {}
