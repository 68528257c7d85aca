"""Docker Compose as a driver: the operator's own compose file, turned into slots and an edge."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from fairway.engine import clock, docker
from fairway.engine.contract.errors import Failed, Invalid, Unreachable
from fairway.engine.contract.names import PinnedImage, Slot
from fairway.engine.drivers import Container, Driver, Launch, Report
from fairway.engine.edge import Edge
from fairway.engine.files import write_atomically
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.model import (
    EDGE_SERVICE,
    EdgeMounts,
    Model,
    Naming,
    check_roles,
    published_ports,
    restart_policy,
    slot_service,
    supporting_services,
    with_edge,
    with_migrator,
    with_slot,
    with_workers,
)
from fairway.engine.process import Completed, run, stream
from fairway.engine.redact import Redactor

_PULL_PATIENCE_S = 1800.0
_SERVICES_PATIENCE_S = 300.0
_EDGE_PATIENCE_S = 20.0


class ComposeDriver(Driver):
    """Runs one project on this host's Docker daemon."""

    def __init__(self, layout: Layout, host: HostConfig, edge: Edge, redact: Redactor) -> None:
        self._layout = layout
        self._host = host
        self._edge = edge
        self._redact = redact
        self._naming = Naming(host.project)
        self._models: dict[str, Model] = {}

    def check(self, launch: Launch) -> None:
        model = self._model(launch)
        check_roles(model, launch.stored.release.compose)
        published_ports(model, launch.stored.release.compose)

    def has_image(self, image: PinnedImage) -> bool:
        return self._run(docker.inspect_image(image.reference)).returncode == 0

    def pull(self, image: PinnedImage, report: Report) -> None:
        said: list[str] = []
        layers = 0

        def on_line(line: str) -> None:
            nonlocal layers
            said.append(line)
            if line.endswith(("Pull complete", "Already exists")):
                layers += 1
                report(f"{image.repository.path}: {layers} layers")

        code = stream(docker.pull(image.reference), env=self._env(), on_line=on_line)
        if code != 0:
            raise pull_failure(image, self._redact("\n".join(said[-5:])))

    def free_bytes(self) -> int:
        done = self._run(docker.info())
        try:
            root = json.loads(done.stdout)["DockerRootDir"]
            figures = os.statvfs(root)
        except (ValueError, KeyError, TypeError, OSError):
            raise Failed(
                "Docker does not say where it keeps images", why=self._tail(done), hint="docker info"
            ) from None
        return figures.f_bavail * figures.f_frsize

    def start_services(self, launch: Launch, report: Report) -> str:
        model = self._model(launch)
        roles = launch.stored.release.compose
        present = {c.labels.get("com.docker.compose.service"): c for c in self._project_containers()}
        services = supporting_services(model, roles)
        down = [name for name in services if not _is_up(present.get(name))]
        if down:
            report(f"starting {', '.join(down)}")
            # Recreating a database because its definition changed is the operator's decision, never a deploy's.
            self._up(
                model,
                launch,
                down,
                "--no-recreate",
                "--wait",
                "--wait-timeout",
                str(int(_SERVICES_PATIENCE_S)),
            )
        if not _is_up(present.get(EDGE_SERVICE)) or not self._edge.answers():
            report("starting the edge")
            self._start_edge(model, launch)
            down.append("edge")
        return f"started {', '.join(down)}" if down else f"{', '.join(services) or 'nothing'} already up"

    def _start_edge(self, model: Model, launch: Launch) -> None:
        roles = launch.stored.release.compose
        slots = self.slots()
        if not self._layout.edge.joinpath("haproxy.cfg").exists() or not slots:
            self._edge.write_config(roles.app_port, None)
        mounts = EdgeMounts(
            image=self._host.edge_image,
            user=f"{os.getuid()}:{os.getgid()}",
            config_dir=str(self._layout.edge),
            run_dir=str(self._layout.edge_run),
        )
        self._up(with_edge(model, roles, self._naming, mounts), launch, [EDGE_SERVICE], "--no-deps")
        deadline = clock.monotonic() + _EDGE_PATIENCE_S
        while not self._edge.answers():
            if clock.monotonic() > deadline:
                raise Failed(
                    "the edge did not come up",
                    why=self._redact(self._container_log(self._naming.edge, 10)),
                    hint="mend what its log names, then deploy again",
                )
            clock.sleep(0.05)

    def migrate(self, launch: Launch, deployment_id: str, report: Report) -> str:
        name = self._naming.migration(deployment_id)
        if not self._inspect([name]):
            roles = launch.stored.release.compose
            model = with_migrator(self._model(launch), roles, self._naming, deployment_id, launch.placement)
            self._up(model, launch, [roles.migrator_service], "--no-deps")
        said: list[str] = []

        def on_line(line: str) -> None:
            said.append(self._redact(line))
            report(said[-1])

        stream(docker.logs(name, tail=1000, follow=True), env=self._env(), on_line=on_line)
        code = self._run(docker.wait(name), timeout_s=3600).stdout.strip()
        (self._layout.deployment(deployment_id) / "migrate.log").write_text("\n".join(said) + "\n")
        if code != "0":
            raise Failed(
                f"the migration failed (exit code {code})",
                why=migration_error(said),
                hint="mend the migration and release again; the old release goes on serving",
            )
        self.remove_migrator(deployment_id)
        return said[-1] if said else "the migrator said nothing"

    def remove_migrator(self, deployment_id: str) -> None:
        self._run(docker.remove(self._naming.migration(deployment_id)))

    def start_slot(self, launch: Launch, slot: Slot) -> None:
        roles = launch.stored.release.compose
        model = with_slot(self._model(launch), roles, self._naming, slot, launch.placement)
        self._up(model, launch, [slot_service(slot)], "--no-deps", "--pull", "never")

    def keep_slot(self, launch: Launch, slot: Slot) -> None:
        policy = restart_policy(self._model(launch), launch.stored.release.compose)
        done = self._run(docker.update_restart(self._naming.slot(slot), policy))
        if done.returncode != 0:
            raise Failed(f"the restart policy of {slot.value} could not be set", why=self._tail(done))

    def stop_slot(self, slot: Slot) -> None:
        name = self._naming.slot(slot)
        self._run(docker.stop(name))
        self._run(docker.remove(name))

    def slots(self) -> dict[Slot, Container]:
        found = {c.name: c for c in self._inspect([self._naming.slot(slot) for slot in Slot])}
        return {slot: found[self._naming.slot(slot)] for slot in Slot if self._naming.slot(slot) in found}

    def move_workers(self, launch: Launch) -> str:
        roles = launch.stored.release.compose
        if not roles.workers:
            return "none"
        model = with_workers(self._model(launch), roles, launch.placement)
        self._up(model, launch, roles.workers, "--no-deps", "--pull", "never")
        return ", ".join(roles.workers)

    def log_tail(self, slot: Slot, lines: int) -> str:
        return self._redact(self._container_log(self._naming.slot(slot), lines))

    def _model(self, launch: Launch) -> Model:
        """Render the release's compose file with this host's settings, once per release."""
        name = launch.stored.name
        if name not in self._models:
            self._models[name] = self._render(launch)
        return self._models[name]

    def _render(self, launch: Launch) -> Model:
        release = launch.stored.release
        file = self._layout.release(release.tag) / "compose.yml"
        write_atomically(file, launch.stored.files[release.compose.file])
        argv = docker.compose_config(file, self._host.project, self._layout.deploy_path)
        done = run(argv, env=self._env(launch.settings))
        if done.returncode != 0:
            raise Invalid(
                f"{release.compose.file} cannot be used on this host",
                why=self._tail(done),
                hint="a variable it needs belongs in .env.production; anything else needs a new release",
            )
        model = json.loads(done.stdout)
        assert isinstance(model, dict)
        return model

    def _up(self, model: Model, launch: Launch, services: Iterable[str], *flags: str) -> None:
        argv = docker.compose_up(self._host.project, self._layout.deploy_path, list(services), *flags)
        done = run(argv, env=self._env(), stdin=json.dumps(model), timeout_s=_SERVICES_PATIENCE_S + 60)
        if done.returncode != 0:
            raise Failed(
                f"{', '.join(services)} did not start",
                why=self._tail(done),
                hint="docker compose says why above",
            )

    def _project_containers(self) -> list[Container]:
        ids = self._run(docker.list_project(self._host.project)).stdout.split()
        return self._inspect(ids) if ids else []

    def _inspect(self, names: list[str]) -> list[Container]:
        done = self._run(docker.inspect_containers(names))
        try:
            found = json.loads(done.stdout or "[]")
        except ValueError:
            found = None
        if found is None or (done.returncode != 0 and "o such container" not in done.stderr):
            raise Unreachable(
                "the Docker daemon does not answer",
                why=self._tail(done),
                hint="systemctl status docker, on the host",
            )
        return [_container(document) for document in found]

    def _container_log(self, name: str, lines: int) -> str:
        done = self._run(docker.logs(name, tail=lines))
        return (done.stdout + done.stderr).strip()

    def _run(self, argv: list[str], *, timeout_s: float = 120.0) -> Completed:
        return run(argv, env=self._env(), timeout_s=timeout_s)

    def _env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return docker.environment(self._layout.docker_config, extra)

    def _tail(self, done: Completed) -> str:
        return self._redact((done.stderr or done.stdout).strip()[-1500:])


def pull_failure(image: PinnedImage, said: str) -> Failed:
    """Say in an operator's words why an image did not come."""
    registry = image.repository.registry
    lowered = said.lower()
    if "no space left" in lowered:
        hint = "free some space where Docker keeps its images, then deploy again"
    elif "unauthorized" in lowered or "denied" in lowered or "no basic auth" in lowered:
        hint = f"log the host in to {registry} again: fairway bootstrap <environment>"
    elif "not found" in lowered or "manifest unknown" in lowered:
        hint = "the image is gone from the registry: release the commit again"
    else:
        hint = f"see whether the host reaches {registry}, then deploy again; what serves was not touched"
    return Failed(f"{image.repository.path} could not be pulled from {registry}", why=said, hint=hint)


def migration_error(said: list[str]) -> str:
    """Pick what the database said out of a migrator's output, and keep the end of the rest."""
    errors = [line for line in said if re.search(r"\b(ERROR|FATAL|Error|Exception)\b", line)]
    tail = said[-8:]
    return "\n".join([*(line for line in errors[-2:] if line not in tail), *tail]) or "the migrator said nothing"


def _is_up(container: Container | None) -> bool:
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
        labels=dict(config.get("Labels") or {}),
    )
