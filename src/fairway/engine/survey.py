"""Look at what runs on a host already, and change nothing: the existing set-up beside which Fairway's path goes."""

from __future__ import annotations

import getpass
import json
import os
import pwd
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fairway.engine import docker
from fairway.engine.contract.environment import SEALED
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.hostconfig import read_host_config
from fairway.engine.layout import Layout
from fairway.engine.nginx.server import NginxConfig, read_config
from fairway.engine.process import run
from fairway.engine.projects import Application, Project, choose_application, read_projects
from fairway.engine.sockets import is_here, listening
from fairway.engine.traffic.record import read_record

_NO_LOGIN = Path("/nonexistent")


def survey(layout: Layout, like: str, env_file: str) -> dict[str, Any]:
    """Return what runs here; ``like`` is the name that the new path's project will have.

    ``env_file`` is its file of settings in the deploy path. Raises ``Failed`` when Docker does not answer this user.
    """
    nginx = read_config()
    projects, application = find_application(layout, nginx, like)
    return {
        "user": getpass.getuser(),
        "deploy_path": _deploy_path(layout, env_file),
        "projects": [project.as_json() for project in projects],
        "application": application.as_json() if application else None,
        "nginx": {
            "installed": nginx.installed,
            "invalid": nginx.invalid,
            "unreadable": list(nginx.unreadable),
            "forwards": [
                {"file": path, **asdict(forward)} for path, forward in nginx.forwards() if is_here(forward.host)
            ],
        },
        "listening": [{"address": address, "port": port} for address, port in listening()],
    }


def find_application(layout: Layout, nginx: NginxConfig, like: str) -> tuple[list[Project], Application | None]:
    """Return the Compose projects of this host, and the one that looks like the application."""
    containers = _inspect_all(["docker", "ps", "--all", "--quiet", "--no-trunc"], docker.inspect_containers)
    ids = sorted({str(container.get("Image")) for container in containers})
    images = {str(image.get("Id")): image for image in _inspect(["docker", "image", "inspect", *ids])} if ids else {}
    projects = read_projects(containers, images)
    # Once traffic has been moved nginx no longer says which one it was; the record does.
    record = read_record(layout)
    forwarded = record.old_addresses if record else []
    forwarded += [(f.host, f.port) for _, f in nginx.forwards() if f.known and is_here(f.host)]
    return projects, choose_application(projects, forwarded, like=like, containers=containers)


def _deploy_path(layout: Layout, env_file: str) -> dict[str, Any]:
    path = layout.deploy_path
    document: dict[str, Any] = {"path": str(path), "real": os.path.realpath(path), "exists": path.is_dir()}
    if path.is_dir():
        document["owner"] = _owner(path)
    document["writable"] = os.access(path, os.W_OK | os.X_OK)
    document["settings"] = any((path / name).is_file() for name in (env_file, env_file + SEALED))
    try:
        host = read_host_config(layout.host_config)
        document["belongs_to"] = {"project": host.project, "environment": host.environment}
    except (FairwayError, OSError):
        document["belongs_to"] = None
    return document


def _owner(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _inspect_all(listed: list[str], inspect: Any) -> list[dict[str, Any]]:
    done = run(listed, env=_env())
    if done.returncode != 0:
        raise Failed(
            f"Docker does not answer {getpass.getuser()} on this host",
            why=done.stderr.strip()[-500:],
            hint="start Docker; let the deploy user use it: usermod -aG docker <user>",
        )
    ids = done.stdout.split()
    return _inspect(inspect(ids)) if ids else []


def _inspect(argv: list[str]) -> list[dict[str, Any]]:
    """Return what Docker knows of containers or images; one that has just gone is left out."""
    try:
        found = json.loads(run(argv, env=_env()).stdout or "[]")
    except ValueError:
        raise Failed("Docker's answer cannot be read", hint="docker info, on the host") from None
    return [document for document in found if isinstance(document, dict)]


def _env() -> dict[str, str]:
    # Looking needs no registry login, and root must not follow the deploy user's Docker configuration.
    return docker.environment(_NO_LOGIN)
