"""The edge's containers: what there is, and how an instance beside the base is made."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from fairway.engine import docker
from fairway.engine.contract.errors import Failed, Refused, Unreachable
from fairway.engine.drivers.containers import SERVICE_LABEL
from fairway.engine.hostconfig import HostConfig
from fairway.engine.instances.runtime import BASE, DIRECTORY_VARIABLE, directory
from fairway.engine.layout import Layout
from fairway.engine.model import LABEL, Naming
from fairway.engine.process import Completed, run, stream

#: The oldest HAProxy the configuration is tested with.
MIN_VERSION = (2, 6)

_CONFIG_DIR = "/usr/local/etc/haproxy"
_CONFIG = f"{_CONFIG_DIR}/haproxy.cfg"
_INSTANCE = LABEL + "instance"
_TRIAL = "trial"
_VERSION = re.compile(r"HA-?Proxy version (?P<version>(\d+)\.(\d+)\S*)")
_CHECK_PATIENCE_S = 60.0
_LOG_LINES = 10


@dataclass(frozen=True)
class EdgeContainer:
    """One of the edge's containers as Docker has it; ``published`` is where visitors reach it."""

    number: int
    name: str
    status: str
    image: str
    image_id: str
    started_at: str
    user: str
    networks: tuple[str, ...]
    published: tuple[str, int] | None

    @property
    def running(self) -> bool:
        return self.status == "running"


class EdgeContainers:
    """Finds, makes and removes the edge's containers on this host."""

    def __init__(self, layout: Layout, host: HostConfig) -> None:
        self._layout = layout
        self._project = host.project
        self._naming = Naming(host.project)

    def name(self, number: int) -> str:
        """Return an instance's container name."""
        return self._naming.edge_instance(number)

    def find(self) -> dict[int, EdgeContainer]:
        """Return every container of the edge by its number. Raises ``Unreachable`` when Docker does not answer."""
        listed = self._run(docker.find_labelled({LABEL + "project": self._project, LABEL + "role": "edge"}))
        if listed.returncode != 0:
            raise _docker_is_away(listed)
        identities = listed.stdout.split()
        if not identities:
            return {}
        done = self._run(docker.inspect_containers(identities))
        try:
            found = [read_container(document) for document in json.loads(done.stdout)]
        except ValueError:
            raise _docker_is_away(done) from None
        return {container.number: container for container in found}

    def image_id(self, image: str) -> str | None:
        """Return the id of an image on this host, None when it is not here."""
        done = self._run(docker.inspect_image(image))
        return done.stdout.strip() if done.returncode == 0 else None

    def pull(self, image: str, report: Callable[[str], None]) -> str | None:
        """Ask the registry for the image; return what it said when it did not give it."""
        said: list[str] = []

        def on_line(line: str) -> None:
            said.append(line)
            report(line)

        if stream(docker.pull(image), env=self._env(), on_line=on_line) == 0:
            return None
        return said[-1] if said else "docker pull said nothing"

    def version(self, image: str) -> str:
        """Ask an image for its HAProxy version. Raises ``Refused`` when it has none, or one that is too old."""
        done = self._once(image, ["--network=none"], ["-v"])
        match = _VERSION.search(done.stdout)
        if done.returncode != 0 or match is None:
            raise Refused(
                f"{image} is not an image of HAProxy",
                why=_tail(done) or "its haproxy -v names no version",
                hint="the public images are haproxy:3.0, haproxy:3.2 and so on",
            )
        if (int(match[2]), int(match[3])) < MIN_VERSION:
            raise Refused(
                f"{image} is HAProxy {match['version']}, which is too old",
                why=f"the edge's configuration needs {MIN_VERSION[0]}.{MIN_VERSION[1]} or newer",
                hint="choose a newer one: haproxy:3.0, haproxy:3.2",
            )
        return match["version"]

    def check_config(self, image: str, config: str) -> None:
        """Have an image's own HAProxy read a configuration. Raises ``Refused`` with what it says against it."""
        where = self._trial_dir(config)
        flags = ["--network=none", f"--volume={where}:{_CONFIG_DIR}:ro", f"--env={DIRECTORY_VARIABLE}={_TRIAL}/"]
        done = self._once(image, flags, ["-c", "-f", _CONFIG])
        if done.returncode != 0:
            raise Refused(f"{image} does not take the edge's configuration", why=_tail(done))

    def start_trial(self, image: str, config: str, base: EdgeContainer) -> Path:
        """Start an image where no visitor reaches it, on the edge's networks; return where its sockets are."""
        self.remove_trial()
        where = self._trial_dir(config)
        run_dir = self._layout.edge_run / _TRIAL
        run_dir.mkdir(mode=0o700, exist_ok=True)
        self._start(self._trial_name, image, base, where, _TRIAL, ["--label", f"{LABEL}role=trial"])
        return run_dir

    def remove_trial(self) -> None:
        """Remove what is left of a trial; its directory is made first and goes last, so it tells of all the rest."""
        where = self._layout.edge / _TRIAL
        if where.exists():
            self._run(docker.remove(self._trial_name))
            shutil.rmtree(self._layout.edge_run / _TRIAL, ignore_errors=True)
            shutil.rmtree(where, ignore_errors=True)

    def trial_ended(self) -> bool:
        """Say whether the trial's process has ended."""
        done = self._run(docker.inspect_containers([self._trial_name]))
        return done.returncode != 0 or json.loads(done.stdout)[0]["State"]["Status"] != "running"

    def trial_log(self) -> str:
        """Return the last lines the trial has said."""
        return self._log(self._trial_name)

    def start(self, number: int, image: str, base: EdgeContainer) -> None:
        """Start an instance that takes over the base's listening sockets; nothing starts it again until it is kept.

        It has networks of its own: a process accepts from a socket it was handed
        wherever it runs, so it starts whether or not the base does, and when the base
        does not answer it ends, instead of listening where nobody comes.
        """
        directory(self._layout.edge_run, number).mkdir(mode=0o700, exist_ok=True)
        flags = ["--label", f"{LABEL}role=edge", "--label", f"{_INSTANCE}={number}"]
        takes_over = ["-x", "/run/fairway/admin.sock"]
        self._start(self.name(number), image, base, self._layout.edge, str(number), flags, takes_over)

    def start_again(self, number: int) -> None:
        """Start an instance's container that is stopped."""
        self._must(docker.start(self.name(number)), f"{self.name(number)} does not start")

    def restart(self, number: int) -> None:
        """End an instance in order and start it again."""
        self._must(docker.restart(self.name(number)), f"{self.name(number)} does not start again")

    def keep(self, number: int) -> None:
        """Have Docker start an instance again whenever it ends."""
        self._must(docker.update_restart(self.name(number), "always"), f"{self.name(number)} cannot be kept running")

    def let_go(self, number: int) -> None:
        """Have Docker leave an instance alone once it has ended."""
        self._run(docker.update_restart(self.name(number), "no"))

    def remove(self, number: int) -> None:
        """Remove an instance and its sockets."""
        self._run(docker.remove(self.name(number)))
        if number != BASE:
            shutil.rmtree(directory(self._layout.edge_run, number), ignore_errors=True)

    def log(self, number: int) -> str:
        """Return the last lines an instance has said."""
        return self._log(self.name(number))

    @property
    def _trial_name(self) -> str:
        return f"{self._naming.edge}-{_TRIAL}"

    def _trial_dir(self, config: str) -> Path:
        where = self._layout.edge / _TRIAL
        where.mkdir(mode=0o755, exist_ok=True)
        (where / "haproxy.cfg").write_text(config, encoding="utf-8")
        (where / "haproxy.cfg").chmod(0o644)
        return where

    def _start(
        self,
        name: str,
        image: str,
        base: EdgeContainer,
        config_dir: Path,
        own_directory: str,
        flags: list[str],
        arguments: list[str] | None = None,
    ) -> None:
        self._run(docker.remove(name))
        marks = {
            LABEL + "project": self._project,
            "com.docker.compose.project": self._project,
            SERVICE_LABEL: name.replace(self._naming.edge, "fairway-edge"),
        }
        options = [
            *(f"--user={base.user}", f"--network={base.networks[0]}", "--entrypoint=haproxy"),
            *(f"--env={DIRECTORY_VARIABLE}={own_directory}/", "--stop-signal=SIGUSR1"),
            *(f"--volume={config_dir}:{_CONFIG_DIR}:ro", f"--volume={self._layout.edge_run}:/run/fairway"),
            *("--log-driver=json-file", "--log-opt=max-size=10m", "--log-opt=max-file=3"),
            *(f"--label={key}={value}" for key, value in marks.items()),
            *flags,
        ]
        # Without the master process: that one would go on, and listen in vain, when nothing was handed over.
        command = ["-db", "-f", _CONFIG, *(arguments or [])]
        self._must(docker.create_container(name, image, options, command), f"{name} could not be made")
        for network in base.networks[1:]:
            self._must(docker.connect(network, name), f"{name} could not join {network}")
        self._must(docker.start(name), f"{name} does not start")

    def _once(self, image: str, flags: list[str], arguments: list[str]) -> Completed:
        limits = [f"--user={os.getuid()}:{os.getgid()}", "--entrypoint=haproxy", "--read-only", "--cap-drop=ALL"]
        return self._run(docker.run_once(image, [*limits, *flags], arguments), timeout_s=_CHECK_PATIENCE_S)

    def _log(self, name: str) -> str:
        done = self._run(docker.logs(name, tail=_LOG_LINES))
        return (done.stdout + done.stderr).strip()

    def _must(self, argv: list[str], what: str) -> None:
        done = self._run(argv)
        if done.returncode != 0:
            raise Failed(what, why=_tail(done))

    def _run(self, argv: list[str], *, timeout_s: float = 120.0) -> Completed:
        return run(argv, env=self._env(), timeout_s=timeout_s)

    def _env(self) -> dict[str, str]:
        return docker.environment(self._layout.docker_config)


def read_container(document: Mapping[str, Any]) -> EdgeContainer:
    """Read what ``docker container inspect`` says of one of the edge's containers."""
    config, state = document["Config"], document["State"]
    labels = config.get("Labels") or {}
    network = document["NetworkSettings"]
    return EdgeContainer(
        number=int(labels.get(_INSTANCE, BASE)),
        name=str(document["Name"]).lstrip("/"),
        status=str(state["Status"]),
        image=str(config["Image"]),
        image_id=str(document["Image"]),
        started_at=str(state["StartedAt"]),
        user=str(config.get("User") or "0:0"),
        networks=tuple(network.get("Networks") or {}),
        published=_published(network.get("Ports") or {}),
    )


def _published(ports: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return where this host reaches the first published port: an address of its own, and the port."""
    own = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read here, not listened on
    for bindings in ports.values():
        for binding in bindings or ():
            address = str(binding.get("HostIp") or "")
            return own.get(address, address), int(binding["HostPort"])
    return None


def _tail(done: Completed) -> str:
    return (done.stderr or done.stdout).strip()[-1500:]


def _docker_is_away(done: Completed) -> Unreachable:
    return Unreachable(
        "the Docker daemon does not answer", why=_tail(done), hint="systemctl status docker, on the host"
    )
