"""Look this machine over: everything a release will need, each check with what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from fairway.config import Config
from fairway.engine.contract.checks import Check, run_checks
from fairway.engine.contract.errors import Failed
from fairway.registry import connect
from fairway.release import git
from fairway.release.build import check_dockerfile
from fairway.release.compose import check_compose
from fairway.release.docker import find_docker


def check_here(config: Config) -> list[dict[str, Any]]:
    """Run every check; return for each its name, whether it holds, what was found, and what to do."""
    repositories = (config.images.app, config.images.migrator, config.release_repository)
    registries = sorted({repository.registry for repository in repositories})
    checks: list[tuple[str, Check]] = [
        ("ssh", _ssh),
        ("git", lambda: f"at {git.read_checkout(config.root).commit[:7]}"),
        ("docker", lambda: find_docker().program),
        (config.build.dockerfile, lambda: _held(lambda: check_dockerfile(config))),
        (config.compose.file, lambda: _held(lambda: check_compose(find_docker(), config))),
        *((f"registry {name}", _registry(name)) for name in registries),
    ]
    return run_checks(checks)


def _held(check: Callable[[], object]) -> str:
    check()
    return "as it should be"


def _ssh() -> str:
    program = shutil.which("ssh")
    if program is None:
        raise Failed("the OpenSSH client is missing", hint="install openssh-client")
    return program


def _registry(name: str) -> Check:
    def check() -> str:
        with connect(name) as client:
            client.ping()
        return "answers, and takes the login"

    return check
