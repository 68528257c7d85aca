"""A host with a project on it, reused over many cells: two good releases, and the way back to a clean start."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairway.engine.contract.names import Slot
from testbed import changes
from testbed.bed import Testbed
from testbed.docker import docker, environment
from testbed.host import USER, Host
from testbed.process import TestbedError
from testbed.registry import Registry
from testbed.waiting import wait_for
from testbed.workspace import Workspace
from tests.faults.faults import Kind
from tests.host.asking import history, serving, status

WATCHER = Path(__file__).parent / "watcher.py"
_ON_HOST = "/usr/local/bin/fault-watcher.py"
# Room for the images of both releases and the services, and no more than this machine's memory can spare.
_DOCKER_DISK, _DEPLOY_DISK = "3g", "1200m"
_BALLAST_MB = 40
_BEFORE, _AFTER = "0005", "0006"

_RESET = "TRUNCATE applications; UPDATE alembic_version SET version_num = '0005';"
_APPLIED = "SELECT (SELECT version_num FROM alembic_version), (SELECT count(*) FROM applications);"
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'fairway-%';"


@dataclass(frozen=True)
class Releases:
    """A checkout and two good releases of it, which ship the same migrations and run with or without the last one."""

    work: Workspace
    tags: tuple[str, str]

    def other(self, tag: str) -> str:
        """Return the one of the two that is not ``tag``."""
        return self.tags[1 - self.tags.index(tag)]


def make_releases(work: Workspace) -> Releases:
    """Build two releases that go through every step the table has."""
    # Long enough for a machine that is busy: what is proven here is what becomes of a fault, not how fast it is.
    work.configure(readiness={"timeout_s": 45}, drain={"timeout_s": 5})
    # A slow machine is not a slow release.
    work.configure(soak={"for_s": 1.0, "canary": [50], "canary_s": 1.0, "max_slowdown": 1000})
    changes.count_migrations(work)
    tags = []
    for name in ("one", "two"):
        # With a migration that the other does not have as it is, so that each deployment takes a backup before it.
        work.write(changes.COUNTED, work.path.joinpath(changes.COUNTED).read_text(encoding="utf-8") + f"# {name}\n")
        changes.add_ballast(work, _BALLAST_MB, name)
        work.fairway("release")
        tags.append(work.tag)
    return Releases(work, (tags[0], tags[1]))


class Rig:
    """One host on which a release serves; the cells of the matrix are played on it one after the other."""

    def __init__(self, bed: Testbed, releases: Releases, kind: Kind) -> None:
        self.bed = bed
        self.work = releases.work
        self.releases = releases
        self.name = f"faults-{secrets.token_hex(3)}"
        self.old_slot = Slot.BLUE
        self._client: subprocess.Popen[str] | None = None
        self._history: list[dict[str, Any]] = []
        self._rehearses = False
        small = kind is Kind.SMALL_DISKS
        try:
            bed.add_host(self.name, docker_disk=_DOCKER_DISK if small else None)
            self.work.add_environment(self.name, self.name)
            if small:
                mount = f"mount -t tmpfs -o size={_DEPLOY_DISK},uid=1000,gid=1000 tmpfs {self.deploy_path}"
                self.host.sh(f"install -d -o {USER} {self.deploy_path} && {mount}")
            self.work.prepare_host(self.name)
            self.host.put(_ON_HOST, WATCHER.read_text(encoding="utf-8"))
            self.work.fairway("bootstrap", self.name)
            self.work.fairway("deploy", self.name, releases.tags[0])
            self.history()
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Take the host away."""
        self.work.drop_environment(self.name)
        if self.name in self.bed.hosts:
            self.bed.remove_host(self.name)

    # -- what a fault is done to

    @property
    def host(self) -> Host:
        """The host."""
        return self.bed.host(self.name)

    @property
    def registry(self) -> Registry:
        """Where the host pulls from."""
        return self.bed.registry

    @property
    def deploy_path(self) -> str:
        """Where the project is on the host."""
        return self.work.deploy_path

    def container(self, part: str) -> str:
        """Return a container's name."""
        return f"{self.work.project}-{part}"

    def kill_client(self) -> None:
        """End the command that asked for the deployment at once."""
        if self._client is not None:
            self._client.kill()

    # -- the commands

    def start_deploy(self, tag: str) -> subprocess.Popen[str]:
        """Start to deploy a release, with the real command."""
        self._client = self.work.start_fairway("deploy", self.name, tag)
        return self._client

    def deploy(self, tag: str) -> subprocess.CompletedProcess[str]:
        """Deploy a release; return what the command said."""
        return self.work.fairway("deploy", self.name, tag, check=False)

    def status(self) -> dict[str, Any]:
        """Return what the host says of itself."""
        return status(self.work, self.name)

    def history(self) -> list[dict[str, Any]]:
        """Return the record of attempts. Raises ``TestbedError`` when it does not hold together."""
        self._history = history(self.work, self.name)
        return self._history

    @property
    def known(self) -> set[str]:
        """The deployments that were on record when the record was last asked for."""
        return {entry["deployment"] for entry in self._history}

    def serving(self) -> str:
        """Return the release that answers a visitor, or why none does."""
        try:
            return serving(self.work, self.name)
        except OSError as error:
            return f"nothing: {error}"

    # -- the host

    @contextmanager
    def watcher(self, step: str, mark: str, *action: str) -> Iterator[subprocess.Popen[str]]:
        """Have a program on the host wait for a line of the next deployment's journal, and strike."""
        command = ["exec", self.host.container, "python3", "-u", _ON_HOST, self.deploy_path, step, mark, *action]
        with subprocess.Popen(
            ["docker", *command],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            try:
                yield running
            finally:
                running.kill()
                docker("exec", self.host.container, "pkill", "-f", _ON_HOST, check=False)

    def prepare(self, *, rehearses: bool) -> str:
        """Start from what a host looks like long after a deployment; return the release that serves.

        The warm slot is gone, so is the other release's image, and the last migration
        has not been applied yet. Only where that is the point, migrations are rehearsed first.
        """
        if rehearses is not self._rehearses:
            self.work.configure(environments={self.name: {"rehearse": rehearses}})
            self.work.fairway("bootstrap", self.name)
            self._rehearses = rehearses
        found = self.status()
        self.old_slot = Slot(found["serving"]["slot"])
        images = f"{self.registry.address}/{self.work.project}/*"
        self.host.sh(f"""
            docker rm --force {self.container(f"app-{self.old_slot.other.value}")} >/dev/null 2>&1
            for image in $(docker image ls --digests --format '{{{{.Repository}}}}@{{{{.Digest}}}}' '{images}'); do
                docker rmi "$image" >/dev/null 2>&1 || true
            done
        """)
        self._sql(_RESET)
        return str(found["serving"]["tag"])

    def applied(self) -> tuple[str, int]:
        """Ask PostgreSQL which migration is the last, and how often it was applied."""
        version, times = self._sql(_APPLIED).split("|")
        return version, int(times)

    def is_applied(self) -> bool:
        """Say whether the migration is applied, once."""
        return self.applied() == (_AFTER, 1)

    def is_untouched(self) -> bool:
        """Say whether nothing of the migration is there."""
        return self.applied() == (_BEFORE, 0)

    def migrator_sessions(self) -> int:
        """Count the database sessions that a migrator has open."""
        return int(self._sql(_SESSIONS))

    def containers(self) -> dict[str, str]:
        """Return the project's containers, whatever their state, with the release each is marked with."""
        label = f"label=com.docker.compose.project={self.work.project}"
        lines = self.host.docker(
            "ps", "--all", "--filter", label, "--format", '{{.Names}} {{.Label "dev.fairway.tag"}}'
        ).splitlines()
        return {name: tag for name, _, tag in (line.partition(" ") for line in lines)}

    def rehearsed(self) -> list[str]:
        """Return what of a rehearsal is on the host: containers, networks and files."""
        files = f"ls {self.deploy_path}/.fairway/rehearsal 2>/dev/null || true"
        label = "label=dev.fairway.rehearsal"
        return [
            *self.host.docker("ps", "--all", "--quiet", "--filter", label).split(),
            *self.host.docker("network", "ls", "--quiet", "--filter", label).split(),
            *self.host.sh(files).split(),
        ]

    def wait_settled(self, timeout_s: float = 90.0) -> None:
        """Wait until no engine is at work. Raises ``TestbedError`` when one still is."""
        lock = f"{self.deploy_path}/.fairway/lock"
        free = f"[ ! -e {lock} ] || flock --nonblock --shared {lock} true"
        wait_for("the engine to end", lambda: self.host.run(free, check=False).returncode == 0, timeout_s=timeout_s)

    def _sql(self, statement: str) -> str:
        database = self.container("postgres-1")
        command = f"docker exec -i {database} psql -U capakraken -v ON_ERROR_STOP=1 -qAt"
        said: list[str] = []

        def asked() -> bool:
            done = self.host.run(command, stdin=statement, check=False)
            said[:] = [done.stdout.strip(), done.stderr.strip()]
            return done.returncode == 0

        try:
            # It may be on its way up again: after a fault that is part of the story.
            wait_for("PostgreSQL to answer", asked, timeout_s=45.0, interval_s=0.3)
        except TestbedError as error:
            raise TestbedError(f"{error}: {said[1]}") from None
        return said[0]


class Rigs:
    """One rig of each kind."""

    def __init__(self, bed: Testbed, releases: Releases) -> None:
        self._bed = bed
        self._releases = releases
        self._made: dict[Kind, Rig] = {}

    def get(self, kind: Kind) -> Rig:
        """Return the rig of a kind."""
        if kind not in self._made:
            self._made[kind] = Rig(self._bed, self._releases, kind)
        return self._made[kind]

    def spoil(self, kind: Kind) -> None:
        """Give the rig up: the next cell gets another."""
        if rig := self._made.pop(kind, None):
            rig.remove()
