"""Which Docker client builds: the first one here that has the plugins it takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fairway import process
from fairway.engine.contract.errors import Failed

PLUGINS = ("buildx", "compose")
_OVERRIDE = "FAIRWAY_DOCKER"


@dataclass(frozen=True)
class Docker:
    """A Docker client that has buildx and compose."""

    program: str

    def __call__(self, *arguments: str) -> list[str]:
        """Return a command line of this client."""
        return [self.program, *arguments]


def find_docker(environ: Mapping[str, str] = os.environ) -> Docker:
    """Return the first ``docker`` on PATH with both plugins, or the one ``FAIRWAY_DOCKER`` names.

    A machine may have several: a bare client in ``/usr/local/bin`` is common beside a
    distribution's own. Raises ``Failed`` when none will do, naming each and what it lacks.
    """
    return _find(environ.get(_OVERRIDE, ""), environ.get("PATH", os.defpath))


@cache
def _find(override: str, path: str) -> Docker:
    programs = [override] if override else _on_path(path)
    if not programs:
        raise Failed(
            "docker is not installed, or not on PATH",
            hint=f"install Docker Engine with its buildx and compose plugins, or name it in {_OVERRIDE}",
        )
    lacking: list[str] = []
    for program in programs:
        docker = Docker(program)
        missing = [plugin for plugin in PLUGINS if process.run(docker(plugin, "version")).returncode != 0]
        if not missing:
            return docker
        lacking.append(f"{program} has no {' and no '.join(missing)}")
    raise Failed(
        "no docker client here can build a release",
        why="; ".join(lacking),
        hint=f"install the plugins (docker-buildx-plugin, docker-compose-plugin), or name a client in {_OVERRIDE}",
    )


def _on_path(path: str) -> list[str]:
    found: dict[Path, str] = {}
    for directory in path.split(os.pathsep):
        program = Path(directory or ".") / "docker"
        if program.is_file() and os.access(program, os.X_OK):
            found.setdefault(program.resolve(), str(program))  # /bin is often /usr/bin
    return list(found.values())
