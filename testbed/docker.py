"""The machine's own Docker, as the testbed uses it.

Every object the testbed makes carries ``LABEL``, and those of one bed its run's
name, so that they can be found and removed and nobody else's is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from testbed.process import TestbedError, run

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".testbed"
LABEL = "dev.fairway.testbed"
RUN_LABEL = f"{LABEL}.run"


@cache
def path() -> str:
    """Return a PATH on which ``docker`` is one with Compose and buildx (see scripts/docker.sh)."""
    if not (STATE / "bin" / "docker").exists():
        raise TestbedError("Docker is not prepared; run: scripts/docker.sh ensure")
    return os.pathsep.join((str(STATE / "bin"), str(ROOT / ".venv" / "bin"), os.environ.get("PATH", "")))


@cache
def environment() -> dict[str, str]:
    """Return the environment for docker: this machine's daemon, no login and no builder of the user's."""
    config = STATE / "docker"
    write_config(config, {})
    return {**os.environ, "PATH": path(), "DOCKER_CONFIG": str(config), **endpoint()}


@cache
def endpoint() -> dict[str, str]:
    """Return what names the daemon the user's own docker talks to, whatever configuration is in use."""
    found = run(
        ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
        check=False,
        env={**os.environ, "PATH": path()},
    )
    host = found.stdout.strip() if found.returncode == 0 else ""
    return {"DOCKER_HOST": host} if host and host != "unix:///var/run/docker.sock" else {}


def write_config(directory: Path, auths: dict[str, Any]) -> None:
    """Write a private Docker configuration with these logins; plugins and proxies stay the user's own."""
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    document: dict[str, Any] = {"auths": auths}
    try:
        theirs = json.loads((own / "config.json").read_text(encoding="utf-8"))
        document |= {key: theirs[key] for key in ("proxies", "cliPluginsExtraDirs") if key in theirs}
    except (OSError, ValueError):
        pass
    directory.mkdir(parents=True, exist_ok=True)
    plugins = directory / "cli-plugins"
    if (own / "cli-plugins").is_dir() and not plugins.is_symlink() and own != directory:
        plugins.symlink_to((own / "cli-plugins").resolve())
    write_private(directory / "config.json", json.dumps(document, indent=1))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, and has been from the start."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def docker(
    *args: str | Path, check: bool = True, stdin: str | None = None, timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run the machine's docker."""
    return run(["docker", *args], check=check, stdin=stdin, env=environment(), timeout_s=timeout_s)


def inspect(kind: str, *names: str) -> list[dict[str, Any]]:
    """Return what docker knows of those of the named objects that exist."""
    if not names:
        return []
    answer = docker(kind, "inspect", *names, check=False)
    try:
        found = json.loads(answer.stdout or "[]")
    except ValueError:
        raise TestbedError(f"docker {kind} inspect: {answer.stderr.strip()}") from None
    return [item for item in found if isinstance(item, dict)]


def remove(run_name: str | None = None) -> list[str]:
    """Remove the containers, networks and volumes of one bed, or of all of them; return their names."""
    label = f"{RUN_LABEL}={run_name}" if run_name else LABEL
    removed: list[str] = []
    containers = docker("ps", "-a", "--filter", f"label={label}", "--format", "{{.Names}}").stdout.split()
    if containers:
        docker("rm", "--force", "--volumes", *containers, timeout_s=180)
        removed += containers
    for kind in ("network", "volume"):
        names = docker(kind, "ls", "--filter", f"label={label}", "--format", "{{.Name}}").stdout.split()
        if names:
            docker(kind, "rm", *names, timeout_s=180)
            removed += names
    return removed


def require_openssh() -> None:
    """Check that ssh, ssh-keygen, openssl and git are there, and say which is not."""
    missing = [name for name in ("ssh", "ssh-keygen", "openssl", "git") if shutil.which(name) is None]
    if missing:
        raise TestbedError(f"please install: {', '.join(missing)} (Debian: openssh-client, openssl, git)")
