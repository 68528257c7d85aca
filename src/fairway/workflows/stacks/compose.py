"""A Compose file that the repository has already: what serves, what works beside it, what they need."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import Any

from fairway.workflows.survey import MigrationsFound, Survey, Worker
from fairway.workflows.tree import Tree, table

_FILES = (
    "docker-compose.prod.yml",
    "docker-compose.production.yml",
    "compose.prod.yaml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yaml",
    "compose.yml",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_MIGRATING = re.compile(r"migrat", re.IGNORECASE)
_OURS = ("app", "migrator", "postgres", "redis", "edge", "app-blue", "app-green")


@dataclass(frozen=True)
class Composed:
    """What a Compose file says of an application."""

    file: str
    port: int | None = None
    command: tuple[str, ...] = ()
    workers: tuple[Worker, ...] = ()
    migrate: tuple[str, ...] = ()
    postgres: bool = False
    redis: bool = False
    others: tuple[str, ...] = ()


def look(tree: Tree) -> Composed | None:
    """Read the repository's own Compose file, the one for production first; None when there is none."""
    for file in _FILES:
        services = table(tree.yaml(file), "services") if tree.has(file) else {}
        if services:
            return _read(file, {str(name): one for name, one in services.items() if isinstance(one, dict)})
    return None


def _read(file: str, services: dict[str, dict[str, Any]]) -> Composed:
    built = {name: one for name, one in services.items() if "build" in one}
    migrating = [name for name in built if _MIGRATING.search(name)]
    serving = [name for name, one in built.items() if one.get("ports") and name not in migrating]
    app = next((name for name in ("app", "web") if name in serving), serving[0] if serving else None)
    workers = tuple(
        Worker(name if name not in _OURS else f"{name}-worker", _command(one))
        for name, one in built.items()
        if name not in (app, *migrating) and not one.get("ports") and _NAME.fullmatch(name)
    )
    images = {name: str(one.get("image") or "") for name, one in services.items() if name not in built}
    known = re.compile(r"(?:.*/)?(?:postgres|postgis|redis|valkey|nginx|caddy|traefik)[^/]*")
    return Composed(
        file=file,
        port=_port(services[app]) if app else None,
        command=_command(services[app]) if app else (),
        workers=workers,
        migrate=_command(services[migrating[0]]) if migrating else (),
        postgres=any(re.fullmatch(r"(?:.*/)?(?:postgres|postgis)(?:[:@].*)?", image) for image in images.values()),
        redis=any(re.fullmatch(r"(?:.*/)?(?:redis|valkey)(?:[:@].*)?", image) for image in images.values()),
        others=tuple(name for name, image in images.items() if not known.fullmatch(image)),
    )


def _command(service: dict[str, Any]) -> tuple[str, ...]:
    command = service.get("command")
    if isinstance(command, list):
        return tuple(str(word) for word in command)
    if not isinstance(command, str):
        return ()
    try:
        return tuple(shlex.split(command))
    except ValueError:
        return ()


def _port(service: dict[str, Any]) -> int | None:
    for entry in service.get("ports") or ():
        target = entry.get("target") if isinstance(entry, dict) else str(entry).partition("/")[0].rpartition(":")[2]
        if re.fullmatch(r"[0-9]{1,5}", str(target)) and 0 < int(str(target)) < 65536:
            return int(str(target))
    return None


def merged(survey: Survey, composed: Composed) -> Survey:
    """Return the survey with what the Compose file tells and the code alone did not."""
    migrations = survey.migrations
    if migrations is None and composed.migrate:
        migrations = MigrationsFound(None, None, composed.migrate)
    notes = [f"{composed.file} stays as it is; docker-compose.cicd.yml is written beside it"]
    notes += [f"its service {name} is not taken over: add it to docker-compose.cicd.yml" for name in composed.others]
    known_start = bool(survey.start)
    return replace(
        survey,
        app_port=survey.app_port if known_start else composed.port or survey.app_port,
        start=survey.start if known_start else composed.command,
        workers=survey.workers or composed.workers,
        migrations=migrations,
        postgres=survey.postgres or composed.postgres,
        redis=survey.redis or composed.redis,
        notes=(*survey.notes, *notes),
    )
