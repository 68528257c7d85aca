"""Look a host over: everything a deployment will need, each check with what to do about it."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterable
from typing import Any

from fairway.engine import clock, docker
from fairway.engine.beside import beside
from fairway.engine.contract.checks import Check, run_checks
from fairway.engine.contract.environment import EnvironmentFile
from fairway.engine.contract.errors import Failed
from fairway.engine.edge import Edge
from fairway.engine.envfile import read_settings
from fairway.engine.hostconfig import read_host_config
from fairway.engine.layout import Layout
from fairway.engine.ownership import as_deploy_user
from fairway.engine.process import run

# The first with a `!override` that replaces a list, which an encrypted environment file needs.
MIN_COMPOSE = (2, 24, 4)
MIN_FREE_BYTES = 1024 * 1024 * 1024


def examine(layout: Layout, registries: Iterable[str], environment: EnvironmentFile) -> list[dict[str, Any]]:
    """Run every check; return for each its name, whether it holds, what was found, and what to do."""
    checks: list[tuple[str, Check]] = [
        ("python3", _python),
        ("docker", lambda: _docker(layout)),
        ("compose", lambda: _compose(layout)),
        ("disk", lambda: _disk(layout)),
        ("deploy path", lambda: _deploy_path(layout)),
        ("host.json", lambda: _configured(layout)),
        *((f"login {name}", _login_check(layout, name)) for name in registries),
        (environment.file, lambda: _settings(layout, environment)),
        ("edge", lambda: _edge(layout)),
        ("recovery at boot", lambda: _recovery(layout)),
        *beside(layout),
        ("keys of the deploy user", lambda: _login_keys(layout)),
        ("clock", clock.now),
    ]
    return run_checks(checks)


def _python() -> str:
    if sys.version_info < (3, 9):  # noqa: UP036 - it runs on whatever python3 the host has
        raise Failed(f"Python {platform.python_version()}", hint="install Python 3.9 or newer as python3")
    return platform.python_version()


def _docker(layout: Layout) -> str:
    done = run(docker.info(), env=docker.environment(layout.docker_config), timeout_s=20)
    try:
        version = json.loads(done.stdout).get("ServerVersion")
    except ValueError:
        version = None
    if not version:
        raise Failed(
            "the Docker daemon does not answer this user",
            why=done.stderr.strip()[-300:],
            hint="start Docker; let the deploy user use it: usermod -aG docker <user>",
        )
    return str(version)


def _compose(layout: Layout) -> str:
    done = run(docker.compose_version(), env=docker.environment(layout.docker_config), timeout_s=20)
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", done.stdout.strip())
    if not match:
        raise Failed(
            "Docker Compose v2 is missing",
            hint="install the package docker-compose-plugin or docker-compose (v2)",
        )
    if (int(match[1]), int(match[2]), int(match[3] or 0)) < MIN_COMPOSE:
        raise Failed(f"Docker Compose {done.stdout.strip()} is too old", hint="at least 2.24.4 is needed")
    return done.stdout.strip()


def _disk(layout: Layout) -> str:
    figures = os.statvfs(layout.deploy_path)
    free = figures.f_bavail * figures.f_frsize
    if free < MIN_FREE_BYTES:
        raise Failed(f"{free // 2**20} MiB free below {layout.deploy_path}", hint="free at least 1 GiB")
    return f"{free // 2**20} MiB free"


def _deploy_path(layout: Layout) -> str:
    if not os.access(layout.deploy_path, os.W_OK):
        raise Failed(f"{layout.deploy_path} cannot be written by this user", hint="chown it to the deploy user")
    return str(layout.deploy_path)


def _configured(layout: Layout) -> str:
    config = read_host_config(layout.host_config)
    return f"{config.project} ({config.environment}), port {config.port}"


def _login_check(layout: Layout, registry: str) -> Check:
    def check() -> str:
        try:
            known = json.loads((layout.docker_config / "config.json").read_bytes())
            logins = {**known.get("auths", {}), **known.get("credHelpers", {})}
        except (OSError, ValueError, AttributeError):
            logins = {}
        if registry not in logins:
            raise Failed(f"the host has no login for {registry}", hint="fairway bootstrap <environment>")
        return "logged in"

    return check


def _settings(layout: Layout, environment: EnvironmentFile) -> str:
    # An administrator's look, too, says whether whoever deploys can read it.
    with as_deploy_user(layout):
        return f"{len(read_settings(layout, environment))} settings"


def _recovery(layout: Layout) -> str:
    from fairway.engine import unit  # every command would wait for the import

    if not layout.host_config.exists():
        return "not prepared yet"
    return unit.describe(layout, read_host_config(layout.host_config))


def _login_keys(layout: Layout) -> str:
    from fairway.engine.access import authorized

    return authorized.describe(layout)


def _edge(layout: Layout) -> str:
    if not (layout.edge / "haproxy.cfg").exists():
        return "not started yet: the first deployment does"
    active = Edge(layout.edge, layout.edge_run).active()
    return f"serves {active.value}" if active else "serves nothing yet"
