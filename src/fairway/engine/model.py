"""From the operator's Compose model to the one that runs: two slots and an edge.

Pure functions over the model that ``docker compose config --format json`` prints.
Source: the Compose Specification.
"""

from __future__ import annotations

import copy
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairway.engine.contract.errors import Invalid, Refused
from fairway.engine.contract.manifest import ComposeRoles, Migrations
from fairway.engine.contract.names import Slot

Model = dict[str, Any]

LABEL = "dev.fairway."
EDGE_SERVICE = "fairway-edge"
_MEETING = "fairway"
# What YAML does not take as it is, or takes for the end of a line.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def compose_text(document: Any) -> str:
    """Return a model, or a part of one, as Compose reads it: JSON that is YAML as well.

    JSON writes a character outside the BMP as two escapes, which YAML does not put together again.
    """
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(document, ensure_ascii=False))


@dataclass(frozen=True)
class Naming:
    """What the parts of one project are called in Docker."""

    project: str

    @property
    def edge(self) -> str:
        return f"{self.project}-edge"

    def edge_instance(self, number: int) -> str:
        """The container of one of the edge's processes; number 0 is the one that publishes the port."""
        return f"{self.edge}-{number}" if number else self.edge

    def slot(self, slot: Slot) -> str:
        return f"{self.project}-app-{slot.value}"

    def migration(self, deployment_id: str) -> str:
        return f"{self.project}-migrate-{deployment_id}"


def slot_service(slot: Slot) -> str:
    """Return the service, and so the DNS name, of a slot in the project's networks."""
    return f"fairway-app-{slot.value}"


@dataclass(frozen=True)
class Placement:
    """What Fairway adds to a service: who it is for, and how it was started.

    ``defaults`` are variables for which the operator's own value counts, where there is one.
    """

    labels: Mapping[str, str]
    environment: Mapping[str, str]
    defaults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EdgeMounts:
    """The edge's image, its user on this host, and its two directories."""

    image: str
    user: str
    config_dir: str
    run_dir: str


def check_roles(model: Model, roles: ComposeRoles) -> None:
    """Refuse a model in which a role has no service, or that would build on the host.

    Raises ``Invalid`` or ``Refused`` naming the service.
    """
    services = _services(model)
    named = (roles.database_service,) if roles.database_service is not None else ()
    for role in (roles.app_service, roles.migrator_service, *roles.workers, *named):
        if role not in services:
            raise Invalid(
                f"{roles.file} has no service {role!r}",
                why=f"fairway.toml names it under compose; the file has {', '.join(sorted(services)) or 'none'}",
            )
    for name, service in services.items():
        if "build" in service:
            raise Refused(
                f"{roles.file}: the service {name!r} has 'build:'",
                why="a host never builds: it runs the bytes that were tested",
                hint="give the service an image",
            )


def published_ports(model: Model, roles: ComposeRoles) -> list[dict[str, Any]]:
    """Return the port entries of the application that the edge takes over.

    Raises ``Invalid`` when the application's port is not published.
    """
    ports = _services(model)[roles.app_service].get("ports") or []
    taken = [dict(port) for port in ports if port.get("target") == roles.app_port and port.get("published")]
    if not taken:
        raise Invalid(
            f"{roles.file}: {roles.app_service!r} does not publish port {roles.app_port}",
            why="the edge takes over the application's published port",
            hint=f'add to the service: ports: ["${{APP_HOST_PORT}}:{roles.app_port}"]',
        )
    return taken


def reading_instead(raw: Model, path: str, instead: str) -> str | None:
    """Return a compose file to merge over another, whose services then read one file in place of ``path``.

    ``raw`` is what that other one says before anything is filled in; None when no service of it
    reads ``path``. Raises ``Invalid`` for a file whose name has a variable in it: which file that
    is cannot be told here, and it may be the one that is not to be read.
    """
    found: dict[str, list[Any]] = {}
    for name, service in _services(raw).items():
        declared = service.get("env_file") or []
        entries = [{"path": one} if isinstance(one, str) else dict(one) for one in _as_list(declared)]
        for entry in entries:
            if "$" in str(entry.get("path")):
                raise Invalid(
                    f"the service {name!r} has a variable in the name of its env_file",
                    why="this host's environment file is encrypted, and which services read it must be plain",
                    hint="write the file's name out in the compose file, and release again",
                )
        if any(_same_path(entry.get("path"), path) for entry in entries):
            found[name] = [{**e, "path": instead} if _same_path(e.get("path"), path) else e for e in entries]
    if not found:
        return None
    # Compose < 2.24.4 has no !override; without it the lists would be joined.
    lines = (
        f"  {compose_text(name)}:\n    env_file: !override {compose_text(entries)}\n" for name, entries in found.items()
    )
    return "services:\n" + "".join(lines)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _same_path(one: Any, other: str) -> bool:
    return posixpath.normpath(str(one)) == posixpath.normpath(other)


_ALWAYS = "always"
_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}


def restart_policy(model: Model, roles: ComposeRoles) -> str:
    """Return the application's restart policy, as ``docker update --restart`` takes it."""
    service = _services(model)[roles.app_service]
    policy = (service.get("deploy") or {}).get("restart_policy") or {}
    # A host that was rebooted serves again by itself, unless the operator's file says otherwise.
    declared = str(service.get("restart") or _CONDITIONS.get(str(policy.get("condition")), _ALWAYS))
    return _outliving_the_daemon(declared)


def _outliving_the_daemon(policy: str) -> str:
    """Return the policy that also holds when the Docker daemon was killed.

    A daemon that comes up stops the containers a killed one left, unless it is set to
    ``live-restore``, and then takes that for somebody's wish: "unless-stopped" stay down.
    """
    return _ALWAYS if policy == "unless-stopped" else policy


def supporting_services(model: Model, roles: ComposeRoles) -> list[str]:
    """Return the services a release needs but does not change: the database, the cache."""
    moved = {roles.app_service, roles.migrator_service, *roles.workers}
    return [name for name, service in _services(model).items() if name not in moved and not service.get("profiles")]


# The server itself, and it with the extensions that many an application needs.
_POSTGRES = re.compile(r"(?:.*/)?(?:postgres(?:ql)?|postgis|pgvector|timescaledb(?:-ha)?)(?:[:@].*)?")


def is_postgres(image: str) -> bool:
    """Say whether an image is by its name PostgreSQL."""
    return bool(_POSTGRES.fullmatch(image))


def service_images(model: Model, roles: ComposeRoles) -> list[str]:
    """Return the images of the supporting services, each once."""
    services = _services(model)
    images = [services[name].get("image") for name in supporting_services(model, roles)]
    return list(dict.fromkeys(str(image) for image in images if image))


def with_slot(model: Model, roles: ComposeRoles, naming: Naming, slot: Slot, placement: Placement) -> Model:
    """Return the model with the application's service turned into a slot's."""
    result = copy.deepcopy(model)
    service = _services(result).pop(roles.app_service)
    # The edge owns the port and the name; a slot is reached only through it.
    for key in ("ports", "depends_on", "profiles", "links"):
        service.pop(key, None)
    # Until it has been found ready nothing starts it again, so its first end is seen, with its exit code.
    service["restart"] = "no"
    (service.get("deploy") or {}).pop("restart_policy", None)
    service["container_name"] = naming.slot(slot)
    service["networks"] = dict.fromkeys([*_networks(service), *_edge_networks(result, service)])
    _place(service, placement, {"slot": slot.value, "role": "app"})
    service["environment"]["FAIRWAY_SLOT"] = slot.value
    _services(result)[slot_service(slot)] = service
    return _standing_alone(result)


def with_edge(model: Model, roles: ComposeRoles, naming: Naming, mounts: EdgeMounts) -> Model:
    """Return the model with the edge: it has the application's published port, networks and name."""
    result = copy.deepcopy(model)
    app = _services(result).pop(roles.app_service)
    _services(result)[EDGE_SERVICE] = {
        "image": mounts.image,
        "container_name": naming.edge,
        "user": mounts.user,
        "restart": _ALWAYS,
        "command": ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
        "ports": published_ports(model, roles),
        "networks": {name: {"aliases": [roles.app_service]} for name in _edge_networks(result, app)},
        "volumes": [
            {
                "type": "bind",
                "source": mounts.config_dir,
                "target": "/usr/local/etc/haproxy",
                "read_only": True,
            },
            {"type": "bind", "source": mounts.run_dir, "target": "/run/fairway"},
        ],
        # SIGUSR1 lets HAProxy finish what it is serving (HAProxy Management Guide, "Stopping and restarting").
        "stop_signal": "SIGUSR1",
        "labels": {LABEL + "project": naming.project, LABEL + "role": "edge"},
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }
    return _standing_alone(result)


def session_name(deployment_id: str) -> str:
    """Return the ``application_name`` of a migrator's database sessions, by which they are found again."""
    return f"fairway-{deployment_id}"


def session_options(limits: Migrations, server_version: int | None) -> str:
    """Return the settings of a migrator's database sessions, as libpq takes them in ``PGOPTIONS``.

    ``server_version`` is PostgreSQL's number (``170002``), None when it is not
    known. A server before 14 refuses a session that asks for the connection check.
    Source: PostgreSQL manual, "Client Connection Defaults" and "Connection Settings".
    """
    options = {
        "lock_timeout": f"{limits.lock_timeout_s * 1000:.0f}ms",
        "statement_timeout": f"{limits.statement_timeout_s * 1000:.0f}ms",
    }
    if server_version is not None and server_version >= 140000:
        options["client_connection_check_interval"] = "1000ms"
    return " ".join(f"-c {key}={value}" for key, value in options.items())


def with_migrator(
    model: Model, roles: ComposeRoles, naming: Naming, deployment_id: str, placement: Placement, options: str
) -> Model:
    """Return the model with the migrator as a container of its own that runs once."""
    result = copy.deepcopy(model)
    service = _services(result)[roles.migrator_service]
    for key in ("ports", "depends_on", "profiles", "links"):
        service.pop(key, None)
    service["container_name"] = naming.migration(deployment_id)
    service["restart"] = "no"
    _place(service, placement, {"role": "migrator"})
    service["environment"]["PGAPPNAME"] = session_name(deployment_id)
    service["environment"].setdefault("PGOPTIONS", options)
    return _standing_alone(result)


def asking_status(model: Model, roles: ComposeRoles, command: Sequence[str]) -> Model:
    """Return a migrator's model with the command that tells its state in place of what it does by itself."""
    result = copy.deepcopy(model)
    service = _services(result)[roles.migrator_service]
    # An older "compose run" has no --pull.
    service.update(entrypoint=list(command), command=[], tty=False, pull_policy="never")
    return result


def with_workers(model: Model, roles: ComposeRoles, placement: Placement) -> Model:
    """Return the model with the workers marked as this release's."""
    result = copy.deepcopy(model)
    for name in roles.workers:
        service = _services(result)[name]
        service.pop("depends_on", None)
        if "restart" in service:
            service["restart"] = _outliving_the_daemon(str(service["restart"]))
        _place(service, placement, {"role": "worker"})
    return _standing_alone(result)


def _place(service: dict[str, Any], placement: Placement, labels: Mapping[str, str]) -> None:
    service["labels"] = {
        **(service.get("labels") or {}),
        **placement.labels,
        **{LABEL + key: value for key, value in labels.items()},
    }
    own = service.get("environment") or {}
    # "${SENTRY_RELEASE:-}" is how a compose file says: if there is one.
    defaults = {key: value for key, value in placement.defaults.items() if own.get(key) in (None, "")}
    service["environment"] = {**own, **defaults, **placement.environment}


def _standing_alone(model: Model) -> Model:
    """Drop what only holds while every service is there: each part is started on its own."""
    present = set(_services(model))
    for service in _services(model).values():
        wanted = service.get("depends_on")
        if isinstance(wanted, dict):
            service["depends_on"] = {name: how for name, how in wanted.items() if name in present}
    return model


def _services(model: Model) -> dict[str, dict[str, Any]]:
    services = model.get("services")
    return services if isinstance(services, dict) else {}


def _edge_networks(model: Model, service: dict[str, Any]) -> list[str]:
    """Return the networks on which the edge and the slots meet: the application's own, or one made for them.

    A network of somebody else's is not one of them. There the application's name may
    be somebody's already, who would then share their visitors with the edge, and
    another project's slots have the same names as ours.
    """
    networks = model.setdefault("networks", {})
    own = [name for name in _networks(service) if not (networks.get(name) or {}).get("external")]
    if not own:
        networks.setdefault(_MEETING, {})
    return own or [_MEETING]


def _networks(service: dict[str, Any]) -> list[str]:
    networks = service.get("networks")
    return list(networks) if networks else ["default"]
