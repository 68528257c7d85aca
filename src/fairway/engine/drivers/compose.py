"""Docker Compose as a driver: the operator's own compose file, turned into slots and an edge."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fairway.engine import clock, docker
from fairway.engine.backups.store import Backup
from fairway.engine.contract.errors import Failed, Invalid, Refused
from fairway.engine.contract.names import PinnedImage, Slot
from fairway.engine.contract.trust import Policy
from fairway.engine.database import Database
from fairway.engine.drivers import Container, Driver, Launch, Migrated, Report, Services
from fairway.engine.drivers.containers import SERVICE_LABEL, Containers, is_up
from fairway.engine.drivers.migrator import Migrator
from fairway.engine.drivers.workers import watch_workers
from fairway.engine.edge import Edge
from fairway.engine.files import in_memory, write_atomically
from fairway.engine.hostconfig import HostConfig
from fairway.engine.instances.settling import put_in_order
from fairway.engine.layout import Layout
from fairway.engine.model import (
    EDGE_SERVICE,
    LABEL,
    EdgeMounts,
    Model,
    Naming,
    asking_status,
    check_roles,
    compose_text,
    published_ports,
    reading_instead,
    restart_policy,
    service_images,
    session_options,
    slot_service,
    supporting_services,
    with_edge,
    with_migrator,
    with_slot,
    with_workers,
)
from fairway.engine.process import Check, run, stream
from fairway.engine.redact import Redactor
from fairway.engine.schema.tables import Table

if TYPE_CHECKING:
    from fairway.engine.gate.paths import Ground
    from fairway.engine.rehearsal.playing import Side
    from fairway.engine.rehearsal.report import Rehearsed

_PULL_PATIENCE_S = 1800.0
_SERVICES_PATIENCE_S = 300.0
_EDGE_PATIENCE_S = 20.0
_STATUS_PATIENCE_S = 60.0
_HASH_LABEL = "com.docker.compose.config-hash"


class ComposeDriver(Driver):
    """Runs one project on this host's Docker daemon."""

    def __init__(self, layout: Layout, host: HostConfig, edge: Edge, redact: Redactor) -> None:
        self._layout = layout
        self._host = host
        self._edge = edge
        self._redact = redact
        self._naming = Naming(host.project)
        self._containers = Containers(layout, redact)
        self._models: dict[str, Model] = {}
        self._refused: dict[str, Refused] = {}

    def check(self, launch: Launch) -> None:
        model = self._model(launch)
        check_roles(model, launch.stored.release.compose)
        published_ports(model, launch.stored.release.compose)

    def judge(self, launch: Launch, policy: Policy) -> None:
        # Only what starts containers from a bundle waits for these imports.
        from fairway.engine.gate.compose_policy import model_findings, refuse_unallowed, text_findings

        stored, environment = launch.stored, self._host.environment
        file, ground = stored.release.compose.file, self._ground()
        findings = text_findings(stored.compose_text, ground)
        try:
            refuse_unallowed(findings, policy.allow, file=file, environment=environment)
        except Refused as error:
            # Rendering is what would read the files it names: it is not rendered later, either.
            self._refused[stored.name] = error
            raise
        findings += model_findings(self._model(launch), stored.release, ground)
        try:
            refuse_unallowed(findings, policy.allow, file=file, environment=environment)
        except Refused as error:
            # A path may have been filled in from the host's settings.
            raise Refused(error.what, why=self._redact(error.why), hint=error.hint) from None

    def _ground(self) -> Ground:
        from fairway.engine.gate.paths import Ground, follow_links, known_sockets

        present = self._containers.of_project(self._host.project)
        return Ground(
            deploy_path=str(self._layout.deploy_path),
            project=self._host.project,
            port=self._host.port,
            follow=follow_links,
            written=tuple(dict.fromkeys(path for container in present for path in container.writes)),
            sockets=known_sockets(self._containers.env().get("DOCKER_HOST", "")),
        )

    def has_image(self, image: PinnedImage) -> bool:
        return self._containers.run(docker.inspect_image(image.reference)).returncode == 0

    def missing_services(self, launch: Launch) -> list[str]:
        model = self._model(launch)
        wanted = [*service_images(model, launch.stored.release.compose), self._host.edge_image]
        return [name for name in wanted if self._containers.run(docker.inspect_image(name)).returncode != 0]

    def pull(self, image: PinnedImage, report: Report, check: Check) -> None:
        said: list[str] = []
        layers = 0

        def on_line(line: str) -> None:
            nonlocal layers
            said.append(line)
            if line.endswith(("Pull complete", "Already exists")):
                layers += 1
                report(f"{image.repository.path}: {layers} layers")

        argv = docker.pull(image.reference)
        code = stream(argv, env=self._containers.env(), on_line=on_line, timeout_s=_PULL_PATIENCE_S, check=check)
        if code != 0:
            raise pull_failure(image, self._redact("\n".join(said[-5:])))

    def free_bytes(self) -> int:
        done = self._containers.run(docker.info())
        try:
            root = json.loads(done.stdout)["DockerRootDir"]
            figures = os.statvfs(root)
        except (ValueError, KeyError, TypeError, OSError):
            raise Failed(
                "Docker does not say where it keeps images", why=self._containers.tail(done), hint="docker info"
            ) from None
        return figures.f_bavail * figures.f_frsize

    def services(self, launch: Launch) -> Services:
        model, roles = self._model(launch), launch.stored.release.compose
        present = {c.labels.get(SERVICE_LABEL): c for c in self._containers.of_project(self._host.project)}
        wanted = supporting_services(model, roles)
        up = [name for name in wanted if is_up(present.get(name))]
        hashes = self._definition_hashes(model) if up else {}
        changed = [n for n in up if present[n].labels.get(_HASH_LABEL) not in (None, hashes.get(n))]
        down = tuple(name for name in wanted if name not in up)
        edge_down = not is_up(present.get(EDGE_SERVICE)) or not self._edge.answers()
        return Services(tuple(up), down, tuple(changed), edge_down)

    def start_services(
        self, launch: Launch, found: Services, recreate: Sequence[str], report: Report, check: Check
    ) -> None:
        model = self._model(launch)
        wait = ("--wait", "--wait-timeout", str(int(_SERVICES_PATIENCE_S)))
        if found.down:
            report(f"starting {', '.join(found.down)}")
            # Recreating a database because its definition changed is the operator's decision, never a deploy's.
            self._up(model, found.down, "--no-recreate", *wait, check=check)
        if recreate:
            report(f"recreating {', '.join(recreate)}, as asked")
            self._up(model, recreate, "--no-deps", *wait, check=check)
        if found.edge_down:
            report("starting the edge")
            self._start_edge(model, launch)
            put_in_order(self._layout, self._host, report)

    def _definition_hashes(self, model: Model) -> dict[str, str]:
        argv = docker.compose_hashes(self._host.project, self._layout.deploy_path)
        done = self._containers.run(argv, stdin=compose_text(model))
        pairs = [line.split() for line in done.stdout.splitlines()]
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}

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
        # One that runs owns the published port: another image takes over from it (fairway edge upgrade).
        runs = any(container.running for container in self._containers.inspect([self._naming.edge]))
        keep = ["--no-recreate"] if runs else []
        self._up(with_edge(model, roles, self._naming, mounts), [EDGE_SERVICE], "--no-deps", *keep)
        deadline = clock.monotonic() + _EDGE_PATIENCE_S
        while not self._edge.answers():
            if clock.monotonic() > deadline:
                raise Failed(
                    "the edge did not come up",
                    why=self._containers.log(self._naming.edge, 10),
                    hint="mend what its log names, then deploy again",
                )
            clock.sleep(0.05)

    def back_up(self, launch: Launch, deployment_id: str, report: Report, check: Check) -> Backup | str:
        # A rollback, which takes no backup, does not wait for what this needs.
        from fairway.engine.backups.before import back_up

        named = launch.stored.release.compose.database_service
        return back_up(self._layout, self._host, named, deployment_id, report=report, check=check)

    def end_backup(self, launch: Launch, deployment_id: str) -> bool:
        from fairway.engine.backups.before import end_backup

        return end_backup(self._layout, self._host, launch.stored.release.compose.database_service, deployment_id)

    def rehearse(
        self, launch: Launch, before: Launch | None, deployment_id: str, report: Report, check: Check
    ) -> Rehearsed | str:
        # No other step waits for what this needs.
        from fairway.engine.rehearsal.playing import Rehearsal, write_log

        self._refuse_forbidden(launch.stored.release.migrator)
        rehearsal = Rehearsal(
            self._layout,
            self._host,
            self._redact,
            identity=deployment_id,
            new=self._side(launch),
            before=self._side(before) if before is not None else None,
            report=report,
            check=check,
        )
        try:
            return rehearsal.play(self.free_bytes())
        finally:
            if rehearsal.said:
                write_log(self._layout, deployment_id, self._redact("\n".join(rehearsal.said) + "\n"))

    def _side(self, launch: Launch) -> Side:
        from fairway.engine.rehearsal.playing import Side
        from fairway.engine.rehearsal.stage import Part

        release = launch.stored.release
        return Side(Part(self._model(launch), release.compose, launch.placement), release, release.tag)

    def end_rehearsal(self, launch: Launch, deployment_id: str) -> bool:
        from fairway.engine.rehearsal.ending import end_rehearsal

        return end_rehearsal(
            self._layout, self._host, self._containers, launch.stored.release.compose.database_service, deployment_id
        )

    def migrate(self, launch: Launch, deployment_id: str, report: Report, check: Check) -> Migrated:
        roles, limits = launch.stored.release.compose, launch.stored.release.migrations
        model = self._model(launch)
        self._refuse_forbidden(launch.stored.release.migrator)
        migrator = self._migrator(launch, deployment_id)

        def start(server_version: int | None) -> None:
            options = session_options(limits, server_version)
            alone = with_migrator(model, roles, self._naming, deployment_id, launch.placement, options)
            self._up(alone, [roles.migrator_service], "--no-deps", "--pull", "never")

        try:
            return migrator.run(start, limits, report, check)
        finally:
            log = self._layout.deployment(deployment_id) / "migrate.log"
            write_atomically(log, self._redact("\n".join(migrator.said) + "\n").encode())

    def _refuse_forbidden(self, image: PinnedImage) -> None:
        """Refuse a migrator whose image goes around the migrations by itself; the compose file was judged before."""
        from fairway.engine.gate.compose_service import forbidden_in

        done = self._containers.run(docker.image_commands(image.reference))
        try:
            runs = [json.loads(line) for line in done.stdout.splitlines()]
        except ValueError:
            runs = []
        found = forbidden_in([part for parts in runs for part in parts or ()])
        if found:
            raise Refused(
                f"the migrator's image runs {found[0].words}",
                why=found[0].why,
                hint="have it apply the migrations that the release ships, and release again",
            )

    def end_migrator(self, launch: Launch, deployment_id: str, report: Report, *, patience_s: float) -> Migrated:
        return self._migrator(launch, deployment_id).end(report, patience_s=patience_s)

    def applied(self, launch: Launch) -> tuple[str, ...] | None:
        return self._migrator(launch, "").applied()

    def migrations(self, launch: Launch) -> tuple[Table, ...] | None:
        found = self._databases(launch)
        if not found:
            return None
        if len(found) > 1 or not found[0].running:
            names = ", ".join(container.name for container in found)
            raise Failed(
                "the database does not run" if len(found) == 1 else "which database it is cannot be told",
                why=f"the project has {names}",
                hint="compose.database_service in fairway.toml names the database's service",
            )
        return Database(found[0].name, self._containers.env()).migrations()

    def migrator_status(self, launch: Launch) -> str:
        import secrets  # the exporter, which loads this module each minute, does not pay for it

        release = launch.stored.release
        roles, command = release.compose, release.migrations.status
        options = session_options(release.migrations, None)
        name = f"{self._naming.migration('status')}-{secrets.token_hex(4)}"
        model = with_migrator(self._model(launch), roles, self._naming, "status", launch.placement, options)
        model = asking_status(model, roles, command)
        argv = docker.compose_run(self._host.project, self._layout.deploy_path, roles.migrator_service, name)
        try:
            done = self._containers.run(argv, stdin=compose_text(model), timeout_s=_STATUS_PATIENCE_S)
        finally:
            self._containers.run(docker.remove(name))
        if done.returncode != 0:
            raise Failed(
                f"the migrator's status command failed (exit code {done.returncode})",
                why=self._containers.tail(done),
                hint=f"it is migrations.status in fairway.toml: {' '.join(command)}",
            )
        return done.stdout

    def _migrator(self, launch: Launch, deployment_id: str) -> Migrator:
        name = self._naming.migration(deployment_id)
        return Migrator(self._containers, name, deployment_id, self.database(launch))

    def database(self, launch: Launch) -> Database | None:
        found = [container for container in self._databases(launch) if container.running]
        return Database(found[0].name, self._containers.env()) if len(found) == 1 else None

    def _databases(self, launch: Launch) -> list[Container]:
        named = launch.stored.release.compose.database_service
        return self._containers.databases(self._host.project, named)

    def start_slot(self, launch: Launch, slot: Slot) -> None:
        roles = launch.stored.release.compose
        model = with_slot(self._model(launch), roles, self._naming, slot, launch.placement)
        # A restart is for a process that reads its settings anew, whatever the slot still runs.
        self._up(model, [slot_service(slot)], "--no-deps", "--pull", "never", "--force-recreate")

    def keep_slot(self, launch: Launch, slot: Slot) -> None:
        policy = restart_policy(self._model(launch), launch.stored.release.compose)
        done = self._containers.run(docker.update_restart(self._naming.slot(slot), policy))
        if done.returncode != 0:
            raise Failed(f"the restart policy of {slot.value} could not be set", why=self._containers.tail(done))

    def stop_slot(self, slot: Slot) -> None:
        name = self._naming.slot(slot)
        for container in self._containers.inspect([name]):
            self._containers.run(docker.stop(name), timeout_s=container.stop_grace_s + 60)
        self._containers.run(docker.remove(name))

    def slots(self) -> dict[Slot, Container]:
        found = {c.name: c for c in self._containers.inspect([self._naming.slot(slot) for slot in Slot])}
        return {slot: found[self._naming.slot(slot)] for slot in Slot if self._naming.slot(slot) in found}

    def other_containers(self) -> dict[str, tuple[Container, ...]]:
        """Return the project's containers outside the slots, by their Compose service."""
        slots = {self._naming.slot(slot) for slot in Slot}
        found: dict[str, tuple[Container, ...]] = {}
        for container in self._containers.of_project(self._host.project):
            if container.name not in slots:
                name = container.labels.get(SERVICE_LABEL, container.name)
                found[name] = (*found.get(name, ()), container)
        return found

    def move_workers(self, launch: Launch, check: Check) -> str:
        roles = launch.stored.release.compose
        if not roles.workers:
            return "none"
        model = with_workers(self._model(launch), roles, launch.placement)
        self._up(model, roles.workers, "--no-deps", "--pull", "never", check=check)
        watch_workers(
            self._containers, self._host.project, roles.workers, launch.stored.release.readiness.timeout_s, check
        )
        return ", ".join(roles.workers)

    def containers(self, role: str) -> list[Container]:
        return [
            found
            for found in self._containers.of_project(self._host.project)
            if found.labels.get(LABEL + "role") == role
        ]

    def resume(self, container: Container) -> None:
        done = self._containers.run(docker.start(container.name))
        if done.returncode != 0:
            raise Failed(f"{container.name} could not be started", why=self._containers.tail(done))

    def log_tail(self, slot: Slot, lines: int) -> str:
        return self._containers.log(self._naming.slot(slot), lines)

    def _model(self, launch: Launch) -> Model:
        """Render the release's compose file with this host's settings, once per release."""
        name = launch.stored.name
        if name in self._refused:
            raise self._refused[name]
        if name not in self._models:
            self._models[name] = self._render(launch)
        return self._models[name]

    def _render(self, launch: Launch) -> Model:
        project, directory = self._host.project, self._layout.deploy_path
        if launch.env_text is None:
            return self._rendered(launch, docker.compose_config(project, directory))
        # Only to learn who reads the file: Compose makes other paths of this one than of the file itself.
        raw = self._rendered(launch, docker.compose_raw(project, directory))
        with in_memory(launch.env_text) as path:
            over = reading_instead(raw, str(directory / launch.stored.release.env.file), path)
            with in_memory(over or "") as merged:
                return self._rendered(launch, docker.compose_config(project, directory, *([merged] if over else [])))

    def _rendered(self, launch: Launch, argv: Sequence[str]) -> Model:
        done = run(argv, env=self._containers.env(launch.settings), stdin=launch.stored.compose_text)
        if done.returncode != 0:
            raise Invalid(
                f"{launch.stored.release.compose.file} cannot be used on this host",
                why=self._containers.tail(done),
                hint="a variable it needs belongs in .env.production; anything else needs a new release",
            )
        model = json.loads(done.stdout)
        assert isinstance(model, dict)
        return model

    def _up(self, model: Model, services: Iterable[str], *flags: str, check: Check | None = None) -> None:
        argv = docker.compose_up(self._host.project, self._layout.deploy_path, list(services), *flags)
        said: list[str] = []
        code = stream(
            argv,
            env=self._containers.env(),
            on_line=said.append,
            stdin=compose_text(model),
            timeout_s=_SERVICES_PATIENCE_S + 60,
            check=check,
        )
        if code != 0:
            raise Failed(
                f"{', '.join(services)} did not start",
                why=self._redact("\n".join(said[-15:])[-1500:]),
                hint="the last line above is Docker's own reason",
            )


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
