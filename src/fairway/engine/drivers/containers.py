"""The containers of one project on this host's Docker daemon: found, looked at, listened to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fairway.engine import docker
from fairway.engine.contract.errors import Unreachable
from fairway.engine.drivers import Container
from fairway.engine.layout import Layout
from fairway.engine.model import is_postgres
from fairway.engine.process import Completed, run
from fairway.engine.redact import Redactor

#: What Compose says of each container that it makes.
SERVICE_LABEL = "com.docker.compose.service"
_DEFAULT_GRACE_S = 10.0


class Containers:
    """Runs Docker for one project with a clean environment and looks at what it has."""

    def __init__(self, layout: Layout, redact: Redactor) -> None:
        self._layout = layout
        self._redact = redact

    def run(self, argv: list[str], *, stdin: str = "", timeout_s: float = 120.0) -> Completed:
        """Run a Docker command to its end."""
        return run(argv, env=self.env(), stdin=stdin, timeout_s=timeout_s)

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a Docker call."""
        return docker.environment(self._layout.docker_config, extra)

    def of_project(self, project: str) -> list[Container]:
        """Return every container of the Compose project, running or not.

        Raises ``Unreachable`` when the daemon does not answer: what is not listed is not known to be absent.
        """
        done = self.run(docker.list_project(project))
        if done.returncode != 0:
            raise self.unreachable(done)
        ids = done.stdout.split()
        return self.inspect(ids) if ids else []

    def databases(self, project: str, service: str | None) -> list[Container]:
        """Return the containers, running or not, that may be the application's database.

        Those of ``service``; where none is named, those of an image that is PostgreSQL's.
        Raises ``Unreachable`` when the daemon does not answer.
        """
        return [
            one
            for one in self.of_project(project)
            if (one.labels.get(SERVICE_LABEL) == service if service else is_postgres(one.image))
        ]

    def inspect(self, names: list[str]) -> list[Container]:
        """Return those of these containers that exist. Raises ``Unreachable`` when the daemon does not answer."""
        done = self.run(docker.inspect_containers(names))
        try:
            found = json.loads(done.stdout or "[]")
        except ValueError:
            found = None
        if found is None or (done.returncode != 0 and "o such container" not in done.stderr):
            raise self.unreachable(done)
        return [_container(document) for document in found]

    def unreachable(self, done: Completed) -> Unreachable:
        """Return the error of a Docker call that got no answer."""
        return Unreachable(
            "the Docker daemon does not answer", why=self.tail(done), hint="systemctl status docker, on the host"
        )

    def log(self, name: str, lines: int) -> str:
        """Return the last lines a container has said, without secrets."""
        done = self.run(docker.logs(name, tail=lines))
        return self._redact((done.stdout + done.stderr).strip())

    def tail(self, done: Completed) -> str:
        """Return the end of what a command said, without secrets."""
        return self._redact((done.stderr or done.stdout).strip()[-1500:])


def is_up(container: Container | None) -> bool:
    """Say whether a container runs and is not known to be unhealthy."""
    return container is not None and container.running and container.health in (None, "healthy")


def _container(document: dict[str, Any]) -> Container:
    state, config = document["State"], document["Config"]
    health = state.get("Health")
    return Container(
        name=str(document["Name"]).lstrip("/"),
        status=str(state["Status"]),
        exit_code=int(state["ExitCode"]),
        oom_killed=bool(state.get("OOMKilled")),
        health=str(health["Status"]) if health else None,
        image=str(config["Image"]),
        started_at=str(state["StartedAt"]),
        error=str(state.get("Error") or ""),
        addresses=tuple(
            str(network["IPAddress"])
            for network in (document["NetworkSettings"].get("Networks") or {}).values()
            if network.get("IPAddress")
        ),
        pid=int(state.get("Pid") or 0),
        stop_grace_s=float(config.get("StopTimeout") or _DEFAULT_GRACE_S),
        restarts=int(document.get("RestartCount") or 0),
        labels=dict(config.get("Labels") or {}),
        writes=tuple(
            str(mount["Source"])
            for mount in document.get("Mounts") or []
            if mount.get("Type") == "bind" and mount.get("RW")
        ),
        environment=dict(entry.partition("=")[::2] for entry in config.get("Env") or []),
    )
