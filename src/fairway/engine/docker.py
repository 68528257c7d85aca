"""Command lines for Docker: built here, run elsewhere, so that each can be read and tested as text.

Every call has a clean environment: what Compose interpolates comes from the host's
environment file and the release, never from whoever started the engine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

# Reaching a daemon elsewhere (rootless Docker, a socket of its own) is the host's business, not the application's.
_INHERITED = ("PATH", "HOME", "DOCKER_HOST", "XDG_RUNTIME_DIR", "SSL_CERT_FILE")


def environment(docker_config: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a Docker call; ``extra`` cannot replace what Docker itself needs."""
    base = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    base.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    base["DOCKER_CONFIG"] = str(docker_config)
    base["COMPOSE_IGNORE_ORPHANS"] = "true"
    base["COMPOSE_PROGRESS"] = "plain"
    base["LC_ALL"] = "C.UTF-8"
    return {**(extra or {}), **base}


def info() -> list[str]:
    return ["docker", "info", "--format", "{{json .}}"]


def compose_version() -> list[str]:
    return ["docker", "compose", "version", "--short"]


def login(registry: str, username: str) -> list[str]:
    """The password goes to standard input."""
    return ["docker", "login", "--username", username, "--password-stdin", registry]


def pull(reference: str) -> list[str]:
    return ["docker", "pull", reference]


def inspect_image(reference: str) -> list[str]:
    return ["docker", "image", "inspect", "--format", "{{.Id}}", reference]


def inspect_containers(names: Sequence[str]) -> list[str]:
    """Names that do not exist are left out of the answer, and the exit code says so."""
    return ["docker", "container", "inspect", *names]


def list_project(project: str) -> list[str]:
    return [
        "docker",
        "ps",
        "--all",
        "--quiet",
        "--no-trunc",
        "--filter",
        f"label=com.docker.compose.project={project}",
    ]


def find_service(project: str, service: str) -> list[str]:
    labels = {"project": project, "service": service}
    filters = [f"--filter=label=com.docker.compose.{key}={value}" for key, value in labels.items()]
    return ["docker", "ps", "--all", "--format", "{{.Names}}", *filters]


def logs(name: str, *, tail: int, follow: bool = False, timestamps: bool = False) -> list[str]:
    flags = [*(["--follow"] if follow else []), *(["--timestamps"] if timestamps else [])]
    return ["docker", "logs", "--tail", str(tail), *flags, name]


def update_restart(name: str, policy: str) -> list[str]:
    return ["docker", "update", "--restart", policy, name]


def stop(name: str) -> list[str]:
    return ["docker", "stop", name]


def remove(name: str) -> list[str]:
    return ["docker", "rm", "--force", name]


def wait(name: str) -> list[str]:
    return ["docker", "wait", name]


def compose_config(compose_file: Path, project: str, project_directory: Path) -> list[str]:
    """Render the operator's file; relative paths in it are relative to the deploy path."""
    compose = _compose(str(compose_file), project, project_directory)
    return [*compose, "--profile", "*", "config", "--format", "json"]


def compose_up(project: str, project_directory: Path, services: Sequence[str], *flags: str) -> list[str]:
    """Bring services up from a model on standard input."""
    return [*_compose("-", project, project_directory), "up", "--detach", "--no-build", *flags, *services]


def _compose(file: str, project: str, project_directory: Path) -> list[str]:
    # An empty env file keeps Compose from reading a stray .env beside the operator's file.
    return [
        *("docker", "compose", "--project-name", project, "--project-directory", str(project_directory)),
        *("--env-file", os.devnull, "--file", file),
    ]
