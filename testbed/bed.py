"""The bed: one network with a registry, a mirror and hosts, and the files that lead to them."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from testbed import certificates, images
from testbed.addresses import REGISTRY_PORT, Network, candidates
from testbed.docker import (
    LABEL,
    ROOT,
    RUN_LABEL,
    STATE,
    docker,
    endpoint,
    inspect,
    path,
    remove,
    require_openssh,
    write_config,
    write_private,
)
from testbed.host import USER, Host
from testbed.process import TestbedError, run
from testbed.registry import CONFIG, Registry, password_hash

HOSTS = ("staging", "production")
REGISTRY_USER = "fairway"
# The last parts of addresses: hosts follow each other from FIRST_HOST on.
REGISTRY_NUMBER, MIRROR_NUMBER, FIRST_HOST = 2, 3, 11


@dataclass(frozen=True)
class _Facts:
    """What another process needs to know to use a bed that is running."""

    subnet: str
    password: str
    hosts: dict[str, int]


@dataclass(frozen=True)
class Login:
    """A deploy user of its own on the hosts: its key, and an ``ssh_config`` that logs in by it."""

    name: str
    key: Path
    ssh_config: Path

    @property
    def public(self) -> str:
        """The public key, as one line."""
        return self.key.with_suffix(".pub").read_text(encoding="ascii").strip()


class Testbed:
    """A registry and hosts; use it as a context manager, or ``start`` and ``stop`` it.

    Everything it makes carries its ``name`` and is gone after ``stop``, the state
    directory with its keys and passwords, too. Several beds can run side by side.
    """

    __test__ = False  # not a test class, whatever pytest makes of the name

    def __init__(self, name: str | None = None, *, hosts: tuple[str, ...] = HOSTS) -> None:
        self.name = name or os.environ.get("FAIRWAY_RUN") or f"run-{os.getpid()}-{int(time.time())}"
        self.state = STATE / "beds" / self.name
        self._wanted = hosts
        self._hosts: dict[str, Host] = {}
        self._numbers: dict[str, int] = {}
        self._registry: Registry | None = None
        self._network: Network | None = None

    # -- the whole

    def __enter__(self) -> Testbed:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Testbed:
        """Bring up the registry, the mirror and the hosts, all at once. Raises ``TestbedError``."""
        require_openssh()
        mirror = images.mirror_volume()
        if self._facts_file.exists() or inspect("network", self._network_name):
            raise TestbedError(f"the testbed {self.name} is already there; python -m testbed down {self.name}")
        self.state.mkdir(parents=True, mode=0o700)
        self._network = self._make_network()
        certificates.make(self.registry_directory, self._address(REGISTRY_NUMBER))
        password = secrets.token_urlsafe(24)
        self._registry = self._describe_registry(password)
        certificates.trust(self.registry.address, self.registry.ca_file)
        self._write_files(password)
        with ThreadPoolExecutor(max_workers=8) as pool:
            jobs = [pool.submit(self._run_registry, password), pool.submit(self._run_mirror, mirror)]
            for name in self._wanted:
                self._prepare_host(name)
            jobs += [pool.submit(self._run_host, self._hosts[name], None) for name in self._wanted]
            for job in jobs:
                job.result()
        return self

    def stop(self) -> None:
        """Remove everything that belongs to this bed, however far it had come."""
        remove(self.name)
        if self._network is not None:
            certificates.distrust(f"{self._address(REGISTRY_NUMBER)}:{REGISTRY_PORT}")
        shutil.rmtree(self.state, ignore_errors=True)

    @classmethod
    def attach(cls, name: str) -> Testbed:
        """Return a bed that is already running. Raises ``TestbedError`` when it is not."""
        bed = cls(name)
        try:
            facts: dict[str, Any] = json.loads(bed._facts_file.read_text(encoding="utf-8"))
            bed._network = Network(facts["subnet"])
            bed._numbers = dict(facts["hosts"])
            bed._registry = bed._describe_registry(facts["password"])
        except (OSError, ValueError, KeyError):
            raise TestbedError(f"no testbed {name} is running; python -m testbed up") from None
        bed._hosts = {host: bed._describe_host(host) for host in bed._numbers}
        return bed

    @classmethod
    def remove(cls, name: str) -> None:
        """Remove a bed that another process started, or left behind half made."""
        bed = cls(name)
        for network in inspect("network", bed._network_name):
            bed._network = Network(network["IPAM"]["Config"][0]["Subnet"])
        bed.stop()

    # -- the parts

    @property
    def registry(self) -> Registry:
        """The registry. Raises ``TestbedError`` when the bed is not running."""
        if self._registry is None:
            raise TestbedError("the testbed has not been started")
        return self._registry

    @property
    def hosts(self) -> dict[str, Host]:
        """The hosts by name."""
        return dict(self._hosts)

    def host(self, name: str) -> Host:
        """Return one host. Raises ``TestbedError`` when there is none of that name."""
        if name not in self._hosts:
            raise TestbedError(f"the testbed has no host {name}; it has {', '.join(self._hosts) or 'none'}")
        return self._hosts[name]

    def add_host(self, name: str, *, docker_disk: str | None = None, image: images.Image = images.HOST) -> Host:
        """Start one more host and wait until it can be used.

        ``docker_disk`` (such as ``"300m"``) limits the room that its Docker has.
        """
        host = self._prepare_host(name)
        self._run_host(host, docker_disk, image)
        return host

    def add_login(self, name: str) -> Login:
        """Make a deploy user on every host, with a key that logs in as that user alone."""
        directory = self.state / "logins" / name
        directory.mkdir(parents=True)
        key = directory / "id_ed25519"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@testbed", "-f", key])
        login = Login(name, key, directory / "ssh_config")
        write_private(login.ssh_config, self._ssh_config_for(name, key))
        for host in self._hosts.values():
            host.add_user(login.name, login.public)
        return login

    def remove_login(self, login: Login) -> None:
        """Remove a user that ``add_login`` made, with everything that runs as it."""
        for host in self._hosts.values():
            host.remove_user(login.name)
        shutil.rmtree(login.ssh_config.parent)

    def remove_host(self, name: str) -> None:
        """Remove a host and all it held."""
        docker("rm", "--force", "--volumes", self.host(name).container)
        with self._alone():
            del self._hosts[name], self._numbers[name]
            shutil.rmtree(self._host_directory(name))
            self._write_hosts()

    @property
    def gateway(self) -> str:
        """The address of this machine at which the hosts, and what runs on them, reach it."""
        return self._address(1)

    # -- the files that lead to them

    @property
    def ssh_config(self) -> Path:
        """For ``ssh -F``: an alias for each host, the key, the hosts' keys."""
        return self.state / "ssh_config"

    @property
    def docker_config(self) -> Path:
        """For ``DOCKER_CONFIG``: a directory with the login to the registry, and nothing of the user's."""
        return self.state / "docker"

    @property
    def ca_bundle(self) -> Path:
        """For ``SSL_CERT_FILE``: what this machine trusts, and the registry's CA."""
        return self.state / "ca-bundle.crt"

    @property
    def python_image(self) -> str:
        """The image to build Python applications from."""
        return images.PYTHON_CA.name

    @property
    def environment(self) -> dict[str, str]:
        """The environment for a program that is to see this bed, and nothing of the user's own set-up."""
        kept = ("LANG", "LC_ALL", "TERM", "TMPDIR", "TZ", "COLUMNS", "NO_COLOR", "USER", "LOGNAME")
        home = self.state / "home"
        home.mkdir(exist_ok=True)
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            **endpoint(),
            "PATH": path(),
            # The sources beside this bed, also where the environment is another checkout's.
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(home),
            "DOCKER_CONFIG": str(self.docker_config),
            "SSL_CERT_FILE": str(self.ca_bundle),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Fairway testbed",
            "GIT_AUTHOR_EMAIL": "testbed@example.com",
            "GIT_COMMITTER_NAME": "Fairway testbed",
            "GIT_COMMITTER_EMAIL": "testbed@example.com",
        }

    # -- inside

    @property
    def registry_directory(self) -> Path:
        """Where the registry's own files are on this machine."""
        return self.state / "registry"

    @property
    def _facts_file(self) -> Path:
        return self.state / "bed.json"

    @property
    def _network_name(self) -> str:
        return f"fairway-dev-{self.name}"

    @property
    def _labels(self) -> tuple[str, str]:
        return (f"--label={LABEL}=1", f"--label={RUN_LABEL}={self.name}")

    def _address(self, number: int) -> str:
        if self._network is None:
            raise TestbedError("the testbed has not been started")
        return str(self._network[number])

    def _make_network(self) -> Network:
        """Take the first network that neither this machine nor another bed uses."""
        for subnet in candidates():
            made = docker(*("network", "create", *self._labels, f"--subnet={subnet}", self._network_name), check=False)
            if made.returncode == 0:
                return subnet
            if "overlap" not in made.stderr:
                raise TestbedError(f"no network could be made: {made.stderr.strip()}")
        raise TestbedError("no network is left for a testbed; see: docker network ls")

    def _describe_registry(self, password: str) -> Registry:
        return Registry(
            address=f"{self._address(REGISTRY_NUMBER)}:{REGISTRY_PORT}",
            username=REGISTRY_USER,
            password=password,
            ca_file=self.registry_directory / "ca.crt",
            container=f"{self._network_name}-registry",
        )

    def _describe_host(self, name: str) -> Host:
        return Host(name, self._address(self._numbers[name]), f"{self._network_name}-{name}", self.ssh_config)

    def _write_files(self, password: str) -> None:
        for name, comment in (("id_ed25519", "fairway-dev"), ("admin_ed25519", "fairway-dev-admin")):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", self.state / name])
        write_private(self.ca_bundle, certificates.bundle(self.registry.ca_file))
        login = {"auth": self.registry.authorization.removeprefix("Basic ")}
        write_config(self.docker_config, {self.registry.address: login})
        self._write_hosts()

    def _write_hosts(self) -> None:
        """Write what depends on which hosts there are."""
        facts = _Facts(str(self._network), self.registry.password, dict(self._numbers))
        write_private(self._facts_file, json.dumps(vars(facts)))
        keys = {name: (self._host_directory(name) / "ssh_host_ed25519_key.pub") for name in self._hosts}
        known = (f"{self._hosts[name].address} {key.read_text(encoding='ascii')}" for name, key in keys.items())
        write_private(self.state / "known_hosts", "".join(known))
        write_private(self.ssh_config, self._ssh_config_for(USER, self.state / "id_ed25519"))

    def _ssh_config_for(self, user: str, key: Path) -> str:
        """Return what leads to every host: by one user with that user's key, and by root with the administrator's."""
        aliases = "".join(f"Host {host.name}\n    HostName {host.address}\n" for host in self._hosts.values())
        return aliases + (
            f"Host *\n    User {user}\n    IdentityFile {key}\n    IdentitiesOnly yes\n"
            f"    IdentityAgent none\n    UserKnownHostsFile {self.state}/known_hosts\n"
            "    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n    BatchMode yes\n"
            "    ConnectTimeout 10\n"
            f"Match user root\n    IdentityFile {self.state}/admin_ed25519\n"
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Change which hosts there are with nobody else doing so: a bed may be shared by several runs of the tests."""
        with (self.state / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if self._facts_file.exists():
                facts = json.loads(self._facts_file.read_text(encoding="utf-8"))
                self._numbers = dict(facts["hosts"])
                self._hosts = {host: self._describe_host(host) for host in self._numbers}
            yield

    def _host_directory(self, name: str) -> Path:
        return self.state / "hosts" / name

    def _prepare_host(self, name: str) -> Host:
        """Write what a new host finds when it boots."""
        with self._alone():
            return self._prepare_host_alone(name)

    def _prepare_host_alone(self, name: str) -> Host:
        if name in self._hosts:
            raise TestbedError(f"the testbed already has a host {name}")
        directory = self._host_directory(name)
        trusted = directory / "certs.d" / self.registry.address
        trusted.mkdir(parents=True)
        shutil.copy(self.registry.ca_file, trusted / "ca.crt")
        shutil.copy(self.state / "id_ed25519.pub", directory / "authorized_keys")
        shutil.copy(self.state / "admin_ed25519.pub", directory / "admin_authorized_keys")
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", directory / "ssh_host_ed25519_key"])
        daemon = {
            "registry-mirrors": [f"http://{self._address(MIRROR_NUMBER)}:{REGISTRY_PORT}"],
            # Nobody listens there, which is answered at once: names are looked up in vain, but never slowly.
            "dns": ["172.17.0.1"],
            "log-level": "warn",
        }
        (directory / "daemon.json").write_text(json.dumps(daemon, indent=1), encoding="ascii")
        self._numbers[name] = next(n for n in range(FIRST_HOST, 250) if n not in self._numbers.values())
        host = self._hosts[name] = self._describe_host(name)
        self._write_hosts()
        return host

    def _run_host(self, host: Host, docker_disk: str | None, image: images.Image = images.HOST) -> None:
        disk = ["--volume=/var/lib/docker"]
        if docker_disk is not None:
            disk = [f"--mount=type=tmpfs,destination=/var/lib/docker,tmpfs-size={docker_disk}"]
        docker(
            *("run", "--detach", f"--name={host.container}", f"--hostname={host.name}", *self._labels),
            *(f"--network={self._network_name}", f"--ip={host.address}", "--privileged", *disk),
            *("--tmpfs=/run:exec,mode=755", f"--volume={self._host_directory(host.name)}:/fairway:ro"),
            *_kernel_command_line(),
            image.name,
        )
        if image is images.BARE:
            host.wait_greeting()
        else:
            host.wait_ready()

    def _run_registry(self, password: str) -> None:
        write_private(self.registry_directory / "htpasswd", f"{REGISTRY_USER}:{password_hash(password)}\n")
        write_private(self.registry_directory / "config.yml", CONFIG)
        docker(
            *("run", "--detach", f"--name={self.registry.container}", *self._labels),
            *(f"--network={self._network_name}", f"--ip={self._address(REGISTRY_NUMBER)}"),
            *(f"--volume={self.registry_directory}:/fairway:ro", "--entrypoint=/bin/registry"),
            *(images.REGISTRY.name, "serve", "/fairway/config.yml"),
        )
        self.registry.wait_ready()

    def _run_mirror(self, volume: str) -> None:
        docker(
            *("run", "--detach", f"--name={self._network_name}-mirror", *self._labels),
            *(f"--network={self._network_name}", f"--ip={self._address(MIRROR_NUMBER)}"),
            *(f"--volume={volume}:/var/lib/registry:ro", *images.mirror_command()),
        )


def _kernel_command_line() -> tuple[str, ...]:
    """Have a host's systemd, where it has one, run on a machine that still has the first version of control groups."""
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return ()
    legacy = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
    return (f"--env=SYSTEMD_PROC_CMDLINE={legacy}",)
