"""An operator's checkout: the example in a Git repository of its own, set up for the bed's hosts."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed import toml
from testbed.bed import Login, Testbed
from testbed.docker import ROOT, docker, environment
from testbed.host import USER, Host
from testbed.process import TestbedError, run

EXAMPLE = ROOT / "examples" / "capakraken"
FAIRWAY = ROOT / ".venv" / "bin" / "fairway"
_BARE = re.compile(r"[A-Za-z0-9_./:@%+=,-]+")
_LEFT_OUT = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", ".git", ".env.production", "node_modules")


class Workspace:
    """A Git repository with the example in it, and the real ``fairway`` to run there.

    Every workspace has its own project name, deploy path, images and port, so that
    many can share the bed's hosts. ``remove`` takes it off the hosts again.
    """

    def __init__(
        self,
        bed: Testbed,
        *,
        project: str = "capakraken",
        port: int = 3000,
        environments: Mapping[str, str] | None = None,
        example: Path = EXAMPLE,
        login: Login | None = None,
    ) -> None:
        self.bed = bed
        #: By whom the hosts are reached; the bed's own user, whom all share, when None.
        self.login = login
        self.project = project
        self.port = port
        self.deploy_path = f"/opt/{project}"
        self.path = bed.state / "workspaces" / project
        usual = {"staging": "staging", "production": "production"}
        self._environments = dict(usual if environments is None else environments)
        if self.path.exists():
            shutil.rmtree(self.path)
        shutil.copytree(example, self.path, ignore=_LEFT_OUT)
        # What the example's services need of a host, whatever an environment is called.
        self._policy: dict[str, Any] = self.config["environments"]["staging"].get("policy", {})
        self.configure()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("Start from the example")

    # -- the repository

    def configure(self, **changes: Any) -> None:
        """Write ``fairway.toml`` for the bed; ``changes`` are merged into it, table by table."""
        file = self.path / "fairway.toml"
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        base = f"{self.bed.registry.address}/{self.project}"
        _merge(
            document,
            {
                "project": self.project,
                "images": {part: f"{base}/{part}" for part in ("app", "migrator", "release")},
                "build": {"args": {"PYTHON_IMAGE": self.bed.python_image}},
                "environments": {
                    name: {
                        "hosts": [self.bed.host(host).ssh_alias],
                        "deploy_path": self.deploy_path,
                        "port": self.port,
                        "ssh_config": os.path.relpath(self.ssh_config, self.path),
                        "policy": self._policy,
                    }
                    for name, host in self._environments.items()
                },
            },
        )
        environments = document["environments"]
        for table in environments.values():
            table.pop("known_hosts", None)  # the bed's hosts are in its own, which ssh_config names
        for unknown in [name for name in environments if name not in self._environments]:
            del environments[unknown]
        _merge(document, changes)
        file.write_text(toml.dumps(document), encoding="utf-8")

    @property
    def user(self) -> str:
        """The deploy user on the hosts."""
        return self.login.name if self.login else USER

    @property
    def ssh_config(self) -> Path:
        """By which ``fairway`` reaches the hosts from here."""
        return self.login.ssh_config if self.login else self.bed.ssh_config

    @property
    def config(self) -> dict[str, Any]:
        """What ``fairway.toml`` says now."""
        return tomllib.loads((self.path / "fairway.toml").read_text(encoding="utf-8"))

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that is there exactly once. Raises ``TestbedError`` otherwise."""
        file = self.path / path
        text = file.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise TestbedError(f"{path} has {old!r} {text.count(old)} times, not once")
        file.write_text(text.replace(old, new), encoding="utf-8")

    def git(self, *args: str) -> str:
        """Run git in it and return the standard output without the last newline."""
        return run(["git", *args], cwd=self.path, env=self.bed.environment).stdout.rstrip("\n")

    def commit(self, message: str) -> str:
        """Commit everything and return the commit's full name; its migrations are said to be meant."""
        self.accept_migrations()
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head

    def accept_migrations(self) -> None:
        """Say of migrations that came or changed what they are: expansions, unless they plainly are none."""
        settings = self.config.get("migrations", {})
        if "kind" not in settings or not self.git("status", "--porcelain", "--", settings["path"]):
            return
        for word in ("expand", "contract"):
            self.fairway("migrations", "accept", "--all", "--as", word, "--reason", "a story of the testbed")

    @property
    def head(self) -> str:
        """The full name of the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    @property
    def tag(self) -> str:
        """The tag that a release of this commit has."""
        return f"sha-{self.head}"

    # -- the command

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which ``fairway`` runs here."""
        return {**self.bed.environment, "PWD": str(self.path)}

    def fairway(
        self, *args: str, check: bool = True, env: Mapping[str, str] | None = None, timeout_s: float = 300.0
    ) -> subprocess.CompletedProcess[str]:
        """Run ``fairway`` in it. Raises ``TestbedError`` with what it said when it fails and ``check`` is set."""
        return run(
            [FAIRWAY, *args],
            check=check,
            cwd=self.path,
            env={**self.environment, **(env or {})},
            timeout_s=timeout_s,
        )

    def start_fairway(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start ``fairway`` in it and return at once; both its streams come as one."""
        return subprocess.Popen(
            [str(FAIRWAY), *args],
            cwd=self.path,
            env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    # -- its hosts

    def add_environment(self, environment: str, host: str) -> None:
        """Have one more environment, on a host of the bed. Does not commit: it is no part of a release."""
        self._environments[environment] = host
        self.configure()

    def drop_environment(self, environment: str) -> None:
        """Take an environment out of the configuration again; its host is left as it is."""
        self._environments.pop(environment, None)
        self.configure()

    def host(self, environment: str) -> Host:
        """Return the host of an environment."""
        return self.bed.host(self._environments[environment])

    def url(self, environment: str, path: str = "/") -> str:
        """Return where an environment's application is published."""
        return self.host(environment).http(self.port) + path

    def prepare_host(self, environment: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """Make the deploy directory and its ``.env.production``, as an operator does by hand once.

        Every required variable gets a generated value unless ``env`` names one, and
        one that is ``""`` there is written empty. Returns what was written.
        """
        host = self.host(environment)
        settings = self.config.get("env", {})
        values = {name: secrets.token_hex(24) for name in settings.get("required", [])}
        values |= {"NEXTAUTH_URL": host.http(self.port)} if "NEXTAUTH_URL" in values else {}
        values |= env or {}
        host.sh(f"install -d -o {self.user} -g {self.user} {shlex.quote(self.deploy_path)}")
        text = "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())
        host.put(f"{self.deploy_path}/{settings.get('file', '.env.production')}", text, mode=0o600, owner=self.user)
        return values

    def remove(self) -> None:
        """Remove the project from every host, and the images that were built for it from this machine."""
        script = self._removal(self.deploy_path)
        for name in {host for host in self._environments.values() if host in self.bed.hosts}:
            self.bed.host(name).run(script)
        self._forget()

    def remove_here(self, deploy_path: Path) -> None:
        """Remove the project from this machine, where it was deployed to as to a host."""
        run(["bash", "-c", self._removal(str(deploy_path))], env=environment())

    def _removal(self, deploy_path: str) -> str:
        return f"""
            engines=$(pgrep -f {shlex.quote(f"{deploy_path}/[.]fairway/engine/")} || true)
            [ -z "$engines" ] || kill -KILL $engines
            label=label=com.docker.compose.project={shlex.quote(self.project)}
            docker ps -aq --filter $label | xargs -r docker rm --force --volumes
            docker network ls -q --filter $label | xargs -r docker network rm
            docker volume ls -q --filter $label | xargs -r docker volume rm
            rm -rf {shlex.quote(deploy_path)}
        """

    def _forget(self) -> None:
        repository = f"{self.bed.registry.address}/{self.project}/*"
        built = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).stdout.split()
        named = [name for name in built if not name.endswith(":<none>")]
        if named:
            docker("rmi", "--force", *named, check=False)
        shutil.rmtree(self.path, ignore_errors=True)


def _merge(document: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Put ``changes`` over ``document``, table by table; ``None`` takes a key away."""
    for key, value in changes.items():
        if isinstance(value, Mapping):
            table = document.setdefault(key, {})
            _merge(table, value)
        elif value is None:
            document.pop(key, None)
        else:
            document[key] = value


def _quoted(value: str) -> str:
    """Write a value as every reader of such files understands it alike. Raises ``TestbedError`` if none can."""
    if _BARE.fullmatch(value) or not value:
        return value
    if "'" in value or "\n" in value:
        raise TestbedError("a value with a quote or a line break has no form that every reader understands")
    return f"'{value}'"
