"""The ways to deploy that are measured beside each other, each on a host of its own."""

from __future__ import annotations

import abc
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.host import USER, Host
from testbed.workspace import Workspace

PULL_AND_UP = """\
set -eu
cd {path}
printf 'APP_IMAGE=%s\\nMIGRATOR_IMAGE=%s\\nAPP_HOST_PORT=%s\\n' {app} {migrator} {port} > deploy.env
compose() {{ docker compose --project-name {project} --file docker-compose.cicd.yml \\
  --env-file .env.production --env-file deploy.env "$@"; }}
"""
PEER = Path(__file__).parent / "peer"
READY = "until curl --silent --fail --output /dev/null http://127.0.0.1:{port}/api/ready; do sleep 0.1; done\n"


class Contestant(abc.ABC):
    """One way to bring a release to a host and to go back."""

    name: str
    #: Where its application is published.
    url: str

    @abc.abstractmethod
    def prepare(self, settings: Mapping[str, str]) -> None:
        """Do once what is not measured; ``settings`` go into the environment file beside the required ones."""

    @abc.abstractmethod
    def deploy(self, tag: str) -> None:
        """Bring a released tag to the host; return when it serves."""

    @abc.abstractmethod
    def rollback(self, tag: str) -> None:
        """Go back to a tag that served before; return when it serves."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End, without a word, whatever carries a deployment out on the host."""

    @abc.abstractmethod
    def app_containers(self) -> int:
        """Count the application's containers that run."""


class FairwayWay(Contestant):
    """The real commands, from this side of the connection."""

    name = "Fairway"

    def __init__(self, work: Workspace) -> None:
        self._work = work
        self.url = work.url("staging", "")
        self._last: dict[str, Any] = {}

    def prepare(self, settings: Mapping[str, str]) -> None:
        self._work.prepare_host("staging", settings)
        self._work.fairway("bootstrap", "staging")

    def deploy(self, tag: str) -> None:
        self._last = json.loads(self._work.fairway("deploy", "staging", tag, "--json").stdout)

    def rollback(self, tag: str) -> None:
        self._last = json.loads(self._work.fairway("rollback", "staging", tag, "--json").stdout)

    def moved_after_s(self) -> float:
        """Return how long the engine took, in the last deployment, until new requests went to the release."""
        steps: dict[str, float] = self._last["steps"]
        return sum(seconds for name, seconds in steps.items() if name not in ("workers", "drain", "record"))

    def kill(self) -> None:
        self._work.host("staging").sh("pkill -KILL -f '[.]fairway/engine/current serve' || true")

    def app_containers(self) -> int:
        return _count(self._work.host("staging"), "name=-app-")


class ShellWay(Contestant):
    """What an operator would write: pull, ``compose up -d``, wait for ready; over the same ssh."""

    name = "plain shell"

    def __init__(self, work: Workspace, host: Host) -> None:
        self._work = work
        self._host = host
        self._path = f"/opt/{work.project}"
        self.url = host.http(work.port)

    def prepare(self, settings: Mapping[str, str]) -> None:
        put_deploy_path(self._work, self._host, self._path)

    def deploy(self, tag: str) -> None:
        script = self._script(tag) + "compose pull --quiet app migrator worker\ncompose up --detach --quiet-pull\n"
        self._host.ssh(shlex.join(["sh", "-c", script + READY.format(port=self._work.port)]), timeout_s=300)

    def rollback(self, tag: str) -> None:
        script = self._script(tag) + "compose up --detach --no-deps app worker\n"
        self._host.ssh(shlex.join(["sh", "-c", script + READY.format(port=self._work.port)]), timeout_s=300)

    def kill(self) -> None:
        self._host.sh("pkill -KILL -f 'deploy[.]env' || true; pkill -KILL -f 'docker[-]rollout' || true")

    def app_containers(self) -> int:
        return _count(self._host, "label=com.docker.compose.service=app")

    def _script(self, tag: str) -> str:
        images = self._work.config["images"]
        return PULL_AND_UP.format(
            path=self._path,
            project=self._work.project,
            app=f"{images['app']}:{tag}",
            migrator=f"{images['migrator']}:{tag}",
            port=self._work.port,
        )


class RolloutWay(ShellWay):
    """docker-rollout, with a proxy in front that follows what Docker calls healthy, as its documentation asks.

    In its default mode the old container is stopped as soon as the new one is
    healthy; with its documented drain hook it first turns unhealthy and waits.
    """

    def __init__(self, work: Workspace, host: Host, script: str, *, drain: bool = False) -> None:
        super().__init__(work, host)
        self._program = script
        self._hook = "--pre-stop-hook 'touch /tmp/drain && sleep 10' " if drain else ""
        self.name = "docker-rollout, drain hook" if drain else "docker-rollout"

    def prepare(self, settings: Mapping[str, str]) -> None:
        super().prepare(settings)
        host, path = self._host, self._path
        plugins = f"/home/{USER}/.docker/cli-plugins"
        host.sh(f"install -d -o {USER} -g {USER} {plugins} {path}/proxy {path}/proxy/run")
        host.put(f"{plugins}/docker-rollout", self._program, mode=0o755, owner=USER)
        for name in ("rollout.yml", "proxy/haproxy.cfg", "proxy/follow.py"):
            source = (PEER / Path(name).name).read_text(encoding="utf-8")
            host.put(f"{path}/{name}", source, owner=USER)
        follow = f"cd {path} && setsid python3 proxy/follow.py {self._work.project} </dev/null >/dev/null 2>&1 &"
        host.sh(follow, user=USER)

    def deploy(self, tag: str) -> None:
        run = "compose pull --quiet app migrator worker\ncompose run --rm --quiet-pull migrator\n"
        self._roll(tag, run)

    def rollback(self, tag: str) -> None:
        self._roll(tag, "")

    def _roll(self, tag: str, before: str) -> None:
        project = self._work.project
        script = (
            self._script(tag).replace("--file docker-compose.cicd.yml", f"{self._FILES}")
            + before
            + "compose up --detach --no-recreate --no-deps postgres redis proxy\n"
            + f"docker rollout {self._FILES} --env-file .env.production --env-file deploy.env"
            + f" --project-name {project} {self._hook}app\n"
            + "compose up --detach --no-deps worker\n"
        )
        self._host.ssh(shlex.join(["sh", "-c", script + READY.format(port=self._work.port)]), timeout_s=300)

    _FILES = "--file docker-compose.cicd.yml --file rollout.yml"


def put_deploy_path(work: Workspace, host: Host, path: str) -> None:
    """Make a deploy path by hand with what Fairway's has: the compose file, the settings, the registry login."""
    host.sh(f"install -d -o {USER} -g {USER} {path}")
    compose = (work.path / "docker-compose.cicd.yml").read_text(encoding="utf-8")
    host.put(f"{path}/docker-compose.cicd.yml", compose, owner=USER)
    source = work.host("staging").get(f"{work.deploy_path}/.env.production")
    host.put(f"{path}/.env.production", source, mode=0o600, owner=USER)
    registry = work.bed.registry
    login = ["docker", "login", "--username", registry.username, "--password-stdin", registry.address]
    host.run(shlex.join(login), user=USER, stdin=registry.password)


def _count(host: Host, what: str) -> int:
    return len(host.docker("ps", "--quiet", "--filter", what).split())
