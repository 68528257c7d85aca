"""The lines that make the new path use the database that runs already."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fairway.config import Config

_POSTGRES_PORT = 5432
_LOOPBACK = ("127.", "::1")


@dataclass(frozen=True)
class SameDatabase:
    """Where the database is, what goes into which file, and what to know before.

    ``compose`` are lines for the new path's Compose file, ``env`` for its
    ``.env.production``; ``leave_out`` are services of it that are not wanted then.
    """

    host: str
    network: str | None
    compose: str
    env: tuple[str, ...]
    leave_out: tuple[str, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return asdict(self)


def same_database(survey: dict[str, Any], config: Config, model: dict[str, Any] | None) -> SameDatabase | None:
    """Return how to use the existing database; None when none was found.

    ``model`` is the new path's Compose model, not interpolated, when it could be read.
    """
    application = survey["application"]
    database = application["database"] if application else None
    if database and database["networks"]:
        return _in_docker(survey, config, application["project"], database, _services(model))
    addresses = [entry["address"] for entry in survey["listening"] if entry["port"] == _POSTGRES_PORT]
    return _on_the_host(config, addresses) if addresses else None


def _in_docker(
    survey: dict[str, Any], config: Config, project: str, database: dict[str, Any], services: dict[str, Any]
) -> SameDatabase:
    network, host = database["networks"][0], database["container"]
    lines = ["services:"]
    for role in _roles(config):
        lines += [f"  {role}:", "    networks: [default, manual]"]
    lines += ["networks:", "  manual:", "    external: true", f"    name: {network}"]
    notes = [
        f'the host has to allow it, in fairway.toml: allow = ["external-network:manual:{network}"] of its policy',
        "user, password and database name are those of the existing set-up",
        f"while {project} is down, so is the database; the network stays while the new path is on it",
        *_shared_names(survey, config, project, network, services),
        *_ALWAYS,
    ]
    if database["state"] != "running":
        notes.insert(0, f"{host} is {database['state']}: start it first")
    return SameDatabase(
        host=host,
        network=network,
        compose="\n".join(lines),
        env=_env(database["settings"], host),
        leave_out=tuple(name for name, service in services.items() if _is_postgres(service)),
        notes=tuple(notes),
    )


_ALWAYS = (
    "the new path's migrations change the schema under the existing application: it has to go on with them",
    "workers of both work on the same rows",
)


def _on_the_host(config: Config, addresses: list[str]) -> SameDatabase:
    lines = ["services:"]
    for role in _roles(config):
        lines += [f"  {role}:", '    extra_hosts: ["host.docker.internal:host-gateway"]']
    notes = ["user, password and database name are those of the existing set-up"]
    if all(address.startswith(_LOOPBACK) for address in addresses):
        notes.append("PostgreSQL listens on the loopback only: add Docker's bridge (172.17.0.1) to listen_addresses")
    notes.append("pg_hba.conf must let in the networks of Docker")
    env = _env([], "host.docker.internal")
    return SameDatabase("host.docker.internal", None, "\n".join(lines), env, (), (*notes, *_ALWAYS))


def _env(settings: list[dict[str, str]], host: str) -> tuple[str, ...]:
    if not settings:
        return (f"# the variable that names the database's host: {host}",)
    urls = f"postgresql://<user>:<password>@{host}:{_POSTGRES_PORT}/<database>"
    return tuple(f"{s['key']}={host if s['form'] == 'host' else urls}" for s in settings)


def _shared_names(
    survey: dict[str, Any], config: Config, project: str, network: str, services: dict[str, Any]
) -> list[str]:
    """Warn of names that mean one thing in the new project and another on the existing network."""
    theirs = {
        service["name"]
        for found in survey["projects"]
        if found["name"] == project
        for service in found["services"]
        if network in service["networks"]
    }
    ours = [name for name, service in services.items() if name not in _roles(config) and not _is_postgres(service)]
    return [
        f"{name} is a name on {network} too: call yours {config.project}-{name}-1 in its address"
        for name in ours
        if name in theirs
    ]


def _roles(config: Config) -> tuple[str, ...]:
    return (config.compose.app_service, config.compose.migrator_service, *config.compose.workers)


def _services(model: dict[str, Any] | None) -> dict[str, Any]:
    services = model.get("services") if model else None
    return services if isinstance(services, dict) else {}


def _is_postgres(service: Any) -> bool:
    image = str(service.get("image", "")) if isinstance(service, dict) else ""
    return image.partition("@")[0].rpartition("/")[2].startswith("postg")
