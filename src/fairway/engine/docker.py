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
    # A release is what its bundle holds: Compose fetches no part of its file from elsewhere.
    base["COMPOSE_EXPERIMENTAL_GIT_REMOTE"] = "false"
    base["COMPOSE_EXPERIMENTAL_OCI_REMOTE"] = "false"
    base["LC_ALL"] = "C.UTF-8"
    return {**(extra or {}), **base}


def info() -> list[str]:
    return ["docker", "info", "--format", "{{json .}}"]


def server_version() -> list[str]:
    return ["docker", "version", "--format", "{{.Server.Version}}"]


def compose_version() -> list[str]:
    return ["docker", "compose", "version", "--short"]


def login(registry: str, username: str) -> list[str]:
    """The password goes to standard input."""
    return ["docker", "login", "--username", username, "--password-stdin", registry]


def pull(reference: str) -> list[str]:
    return ["docker", "pull", reference]


def inspect_image(reference: str) -> list[str]:
    return ["docker", "image", "inspect", "--format", "{{.Id}}", reference]


def image_commands(reference: str) -> list[str]:
    """Print what an image runs by itself: its entrypoint and its command, a JSON list or null each."""
    return ["docker", "image", "inspect", "--format", "{{json .Config.Entrypoint}}\n{{json .Config.Cmd}}", reference]


def list_images() -> list[str]:
    return ["docker", "image", "ls", "--quiet", "--no-trunc"]


def inspect_images(identities: Sequence[str]) -> list[str]:
    """Images that are gone are left out of the answer, and the exit code says so."""
    return ["docker", "image", "inspect", *identities]


def history(identity: str) -> list[str]:
    """Print an image's instructions, last first: the bytes each added, and the instruction as JSON."""
    return ["docker", "history", "--no-trunc", "--human=false", "--format", "{{.Size}} {{json .CreatedBy}}", identity]


def remove_image(reference: str) -> list[str]:
    """Take one reference away; without --force, Docker itself refuses what a container uses."""
    return ["docker", "image", "rm", "--no-prune", reference]


def list_containers() -> list[str]:
    return ["docker", "ps", "--all", "--quiet", "--no-trunc"]


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


def start(name: str) -> list[str]:
    return ["docker", "start", name]


def stop(name: str) -> list[str]:
    return ["docker", "stop", name]


def psql(container: str, variables: Mapping[str, str]) -> list[str]:
    """Run SQL from standard input in a PostgreSQL container, as the user and on the database its image was given.

    The script is one constant text; the variables reach psql as arguments and the
    SQL as ``:'name'``, which psql quotes. Source: the ``postgres`` image's variables.
    """
    connect = (
        'PGPASSWORD="${POSTGRES_PASSWORD:-}" exec psql --no-psqlrc --quiet --no-align --tuples-only'
        ' --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}"'
        ' --dbname "${POSTGRES_DB:-${POSTGRES_USER:-postgres}}" "$@"'
    )
    values = [word for key, value in variables.items() for word in ("--set", f"{key}={value}")]
    return ["docker", "exec", "--interactive", container, "sh", "-c", connect, "psql", *values]


def compose_hashes(project: str, project_directory: Path) -> list[str]:
    """Print the hash of each service's definition, as Compose labels its containers with; model on standard input."""
    return [*_compose("-", project, project_directory), "config", "--hash", "*"]


def remove(name: str) -> list[str]:
    return ["docker", "rm", "--force", name]


def wait(name: str) -> list[str]:
    return ["docker", "wait", name]


def create_container(name: str, image: str, flags: Sequence[str], arguments: Sequence[str]) -> list[str]:
    return ["docker", "create", "--pull", "never", "--name", name, *flags, image, *arguments]


def run_once(image: str, flags: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Run a program of an image to its end; nothing of it stays."""
    return ["docker", "run", "--rm", "--pull", "never", *flags, image, *arguments]


def connect(network: str, name: str) -> list[str]:
    return ["docker", "network", "connect", network, name]


def restart(name: str) -> list[str]:
    return ["docker", "restart", name]


def find_labelled(labels: Mapping[str, str]) -> list[str]:
    filters = [f"--filter=label={key}={value}" for key, value in labels.items()]
    return ["docker", "ps", "--all", "--quiet", "--no-trunc", *filters]


def compose_config(project: str, project_directory: Path, *over: str) -> list[str]:
    """Render the operator's file from standard input; relative paths in it are relative to the deploy path.

    ``over`` are files that Compose merges over it.
    """
    files = [word for path in over for word in ("--file", path)]
    return [*_compose("-", project, project_directory), *files, "--profile", "*", "config", "--format", "json"]


def compose_raw(project: str, project_directory: Path) -> list[str]:
    """Print what the file says before anything is filled in or read: only its paths are made whole."""
    raw = ("--no-interpolate", "--no-normalize", "--no-consistency")
    return [*_compose("-", project, project_directory), "--profile", "*", "config", *raw, "--format", "json"]


def compose_up(project: str, project_directory: Path, services: Sequence[str], *flags: str) -> list[str]:
    """Bring services up from a model on standard input."""
    return [*_compose("-", project, project_directory), "up", "--detach", "--no-build", *flags, *services]


def compose_run(project: str, project_directory: Path, service: str, name: str) -> list[str]:
    """Run a service of a model on standard input once, under a name of its own; what it prints is what this prints."""
    flags = ("run", "--rm", "--no-deps", "--no-TTY", "--interactive=false", "--name", name)
    return [*_compose("-", project, project_directory), *flags, service]


def _compose(file: str, project: str, project_directory: Path) -> list[str]:
    # An empty env file keeps Compose from reading a stray .env beside the operator's file.
    return [
        *("docker", "compose", "--project-name", project, "--project-directory", str(project_directory)),
        *("--env-file", os.devnull, "--file", file),
    ]
