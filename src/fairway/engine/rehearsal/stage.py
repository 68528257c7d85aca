"""The stage of a rehearsal: the operator's services on a network that leads nowhere. Pure.

Of a service only what is named here is taken over: what is not known to stay on the stage
does not come along. Source: the Compose Specification.
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from fairway.engine.contract.manifest import ComposeRoles
from fairway.engine.contract.names import Slot
from fairway.engine.model import (
    EDGE_SERVICE,
    EdgeMounts,
    Model,
    Placement,
    is_postgres,
    session_name,
    slot_service,
    supporting_services,
)
from fairway.engine.rehearsal.naming import Naming

MIGRATOR_SERVICE = "fairway-migrator"
DATABASE_SERVICE = "fairway-database"
#: The slot that the release before is asked in; which one makes no difference on this stage.
SLOT = Slot.BLUE
#: The superuser of the copy: a name that no role in the database in use has.
SUPERUSER = "fairway_rehearsal"
_PORT = 5432
_KEPT = (
    *("image", "platform", "command", "entrypoint", "environment", "working_dir", "user", "group_add", "hostname"),
    *("init", "tty", "stdin_open", "stop_signal", "stop_grace_period", "healthcheck", "secrets", "configs"),
    *("tmpfs", "read_only", "shm_size", "ulimits", "pids_limit", "mem_limit", "memswap_limit", "mem_reservation"),
    *("cpus", "cpu_shares", "cpu_quota", "cpu_period", "cpuset", "cap_add", "cap_drop", "security_opt"),
)
# What says how a driver is to reach the server; the copy speaks no TLS and knows no certificates.
_DROPPED_QUERY = frozenset(("host", "port", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslaccept", "sslidentity"))
_LIMITS = {
    "mem_limit": "1g",
    "cpus": 2,
    "pids_limit": 400,
    "shm_size": "256m",
    "security_opt": ["no-new-privileges"],
}
# An internal network has no way out, but the host has an address in it, and with that all its published ports.
_NO_HOST = {"com.docker.network.bridge.inhibit_ipv4": "true"}

Kind = Callable[[str], str]


@dataclass(frozen=True)
class Elsewhere:
    """A database that is none of the project's: the key of the settings that names it, and where it is."""

    url_key: str
    host: str


@dataclass(frozen=True)
class Part:
    """A release's side of the stage: its rendered Compose file, its roles, and how it is marked."""

    model: Model
    roles: ComposeRoles
    placement: Placement


@dataclass(frozen=True)
class Copy:
    """The PostgreSQL that holds the copy: its image, the database in it, and the password of its superuser.

    ``preloaded`` are the libraries that the real server of this image loads when it starts.
    """

    image: str
    database: str
    password: str = field(repr=False)
    preloaded: str = ""


def build(
    naming: Naming,
    *,
    new: Part,
    before: Part | None,
    copy_of: Copy,
    edge: EdgeMounts,
    options: str,
    elsewhere: Elsewhere | None,
    kind: Kind,
) -> Model:
    """Return the whole stage as a Compose model; each service of it is started by name.

    ``before`` is the release that serves, None before the first. ``kind`` says of a path of
    the host whether it is a ``file``, a ``directory`` or something else.
    """
    around = before or new
    database = database_service(around)
    services = {
        name: _taken(around.model["services"][name], kind, elsewhere)
        for name in supporting_services(around.model, around.roles)
        if name != database
    }
    for name, service in services.items():
        _name(service, naming, f"service-{name}", _aliases(around.model["services"][name]))
    services[MIGRATOR_SERVICE] = _migrator(naming, new, options, kind, elsewhere)
    services[DATABASE_SERVICE] = _database(naming, copy_of, around, database, elsewhere)
    if before is not None:
        services[slot_service(SLOT)] = _app(naming, before, kind, elsewhere)
        services[EDGE_SERVICE] = _edge(naming, edge)
    for service in services.values():
        service["labels"] = naming.labels
        service["restart"] = "no"
    return {
        "name": naming.compose_project,
        "services": services,
        "networks": {"default": {"internal": True, "driver_opts": _NO_HOST, "labels": naming.labels}},
        **{
            key: {**(new.model.get(key) or {}), **(around.model.get(key) or {})}
            for key in ("secrets", "configs")
            if new.model.get(key) or around.model.get(key)
        },
    }


def supporting(model: Model) -> list[str]:
    """Return the services of a stage that stand beside the database: the cache and its like."""
    own = (MIGRATOR_SERVICE, DATABASE_SERVICE, slot_service(SLOT), EDGE_SERVICE)
    return [name for name in model["services"] if name not in own]


def database_service(part: Part) -> str | None:
    """Return the service that is the application's database, None when none of the project's is."""
    if part.roles.database_service is not None:
        return part.roles.database_service
    services = part.model["services"]
    found = [
        name for name in supporting_services(part.model, part.roles) if is_postgres(str(services[name].get("image")))
    ]
    return found[0] if len(found) == 1 else None


def _database(
    naming: Naming, copy_of: Copy, around: Part, service: str | None, elsewhere: Elsewhere | None
) -> dict[str, Any]:
    aliases = [service, *_aliases(around.model["services"].get(service) or {})] if service is not None else []
    if elsewhere is not None and not _is_address(elsewhere.host):
        aliases.append(elsewhere.host)
    preloading = ["-c", _escaped(f"shared_preload_libraries={copy_of.preloaded}")] if copy_of.preloaded else []
    result: dict[str, Any] = {
        "image": copy_of.image,
        # Whatever a setting of the image said: what is asked here is a plain server.
        "command": ["postgres", "-c", "max_wal_size=4GB", *preloading],
        "environment": {
            "POSTGRES_USER": SUPERUSER,
            "POSTGRES_DB": _escaped(copy_of.database),
            "POSTGRES_PASSWORD": copy_of.password,
            # Every process on this host could reach it otherwise. Takes SCRAM and older passwords alike.
            "POSTGRES_HOST_AUTH_METHOD": "md5",
        },
        **_LIMITS,
    }
    _name(result, naming, "database", aliases)
    return result


def _migrator(naming: Naming, new: Part, options: str, kind: Kind, elsewhere: Elsewhere | None) -> dict[str, Any]:
    result = _taken(new.model["services"][new.roles.migrator_service], kind, elsewhere)
    environment = result["environment"]
    environment.update(new.placement.environment)
    environment["PGAPPNAME"] = session_name(naming.id)
    environment.setdefault("PGOPTIONS", options)
    _name(result, naming, "migrator", [new.roles.migrator_service])
    return result


def _app(naming: Naming, before: Part, kind: Kind, elsewhere: Elsewhere | None) -> dict[str, Any]:
    definition = before.model["services"][before.roles.app_service]
    result = _taken(definition, kind, elsewhere)
    result["environment"].update(before.placement.environment, FAIRWAY_SLOT=SLOT.value)
    _name(result, naming, "app", [before.roles.app_service, *_aliases(definition)])
    return result


def _edge(naming: Naming, mounts: EdgeMounts) -> dict[str, Any]:
    result: dict[str, Any] = {
        "image": mounts.image,
        "user": mounts.user,
        "command": ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
        "volumes": [
            {
                "type": "bind",
                "source": mounts.config_dir,
                "target": "/usr/local/etc/haproxy",
                "read_only": True,
            },
            {"type": "bind", "source": mounts.run_dir, "target": "/run/fairway"},
        ],
    }
    _name(result, naming, "edge", [])
    return result


def _taken(definition: Mapping[str, Any], kind: Kind, elsewhere: Elsewhere | None) -> dict[str, Any]:
    result = {key: copy.deepcopy(definition[key]) for key in _KEPT if definition.get(key) is not None}
    environment = dict(result.get("environment") or {})
    if elsewhere is not None:
        environment = redirected(environment, elsewhere)
    result["environment"] = {**environment, "FAIRWAY_REHEARSAL": "true"}
    limits = ((definition.get("deploy") or {}).get("resources") or {}).get("limits")
    if limits:
        result["deploy"] = {"resources": {"limits": copy.deepcopy(limits)}}
    if mounts := [_mount(one, kind) for one in definition.get("volumes") or []]:
        result["volumes"] = mounts
    return result


def _mount(volume: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """Return what stands in a mount's place: nothing that is written to, and no way off the stage.

    A file of the host is a setting or a certificate and is read; a directory only where the
    service could only read it. A socket leads to what really serves.
    """
    target = {"target": volume["target"]}
    if volume.get("type") == "tmpfs":
        return dict(volume)
    if volume.get("type") == "bind":
        found = kind(str(volume.get("source")))
        if found == "file" or (found == "directory" and volume.get("read_only")):
            return {"type": "bind", "source": volume["source"], **target, "read_only": True}
    return {"type": "volume", **target}


def _name(service: dict[str, Any], naming: Naming, part: str, aliases: list[str]) -> None:
    service["container_name"] = naming.container(part)
    service["networks"] = {"default": {"aliases": list(dict.fromkeys(aliases))} if aliases else None}


def _aliases(definition: Mapping[str, Any]) -> list[str]:
    """Return the further names under which the other services know one."""
    found = [definition["container_name"]] if definition.get("container_name") else []
    for network in (definition.get("networks") or {}).values():
        found += (network or {}).get("aliases") or []
    return found


def redirected(environment: Mapping[str, Any], elsewhere: Elsewhere) -> dict[str, Any]:
    """Have every setting that names the database elsewhere name the copy of it."""
    result = {key: _redirected_url(value, elsewhere) for key, value in environment.items()}
    if elsewhere.url_key.startswith("PG") and "PGHOST" in result:
        result.update(PGHOST=DATABASE_SERVICE, PGPORT=str(_PORT), PGSSLMODE="disable")
    return result


def _redirected_url(value: Any, elsewhere: Elsewhere) -> Any:
    if not isinstance(value, str) or not value.startswith("postgres"):
        return value
    try:
        url = urlsplit(value)
        host = url.hostname
    except ValueError:
        return value
    query = parse_qsl(url.query, keep_blank_values=True)
    named = [host or "", *(text for name, text in query if name == "host")]
    if elsewhere.host.lower() not in [name.lower() for name in named]:
        return value
    user = url.netloc.rpartition("@")[0]
    netloc = f"{user}@{DATABASE_SERVICE}:{_PORT}" if user else f"{DATABASE_SERVICE}:{_PORT}"
    kept = [(name, text) for name, text in query if name not in _DROPPED_QUERY]
    return urlunsplit((url.scheme, netloc, url.path, urlencode(kept, quote_via=quote), ""))


def _escaped(value: str) -> str:
    """Return a value as Compose takes it for itself: it would fill in a variable."""
    return value.replace("$", "$$")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
