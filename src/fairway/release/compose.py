"""Check that the Compose file can be deployed, before anything is built for it."""

from __future__ import annotations

import re
from typing import Any

from fairway import process
from fairway.config import Config
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.fields import parse_json
from fairway.release.docker import Docker

APP_IMAGE = "APP_IMAGE"
MIGRATOR_IMAGE = "MIGRATOR_IMAGE"


def check_compose(docker: Docker, config: Config) -> None:
    """Check the Compose file against the roles that ``fairway.toml`` gives its services.

    Raises ``Invalid`` with every problem.
    """
    if problems := problems_of(read_model(docker, config), config):
        raise Invalid(f"{config.compose.file} cannot be deployed", why="\n".join(problems))


def read_model(docker: Docker, config: Config) -> Any:
    """Ask Compose itself for the model, without filling in variables.

    Neither the hosts' ``.env.production`` nor an image is needed. Raises ``Invalid``
    when there is no Compose file, or it cannot be read.
    """
    path = config.root / config.compose.file
    if not path.is_file():
        raise Invalid(
            f"fairway.toml: compose.file: there is no {path}",
            hint="write a Compose file whose services use ${APP_IMAGE} and ${MIGRATOR_IMAGE}",
        )
    command = docker("compose", "--project-name", config.project, "--file", str(path), "--profile", "*")
    command += ["config", "--no-interpolate", "--format", "json"]
    done = process.run(command, cwd=config.root)
    if done.returncode != 0:
        raise Invalid(f"{config.compose.file} is not a Compose file that can be read", why=done.tail)
    try:
        return parse_json(done.stdout, f"the model of {config.compose.file}")
    except FairwayError as error:
        raise Failed(error.what, why=error.why) from None


def problems_of(model: Any, config: Config) -> list[str]:
    """List what keeps a Compose model (not interpolated) from being deployed."""
    services = model.get("services") if isinstance(model, dict) else None
    services = services if isinstance(services, dict) else {}
    roles = config.compose
    wanted = {roles.app_service: APP_IMAGE, roles.migrator_service: MIGRATOR_IMAGE}
    wanted.update(dict.fromkeys(roles.workers, APP_IMAGE))
    keys = {roles.app_service: "app_service", roles.migrator_service: "migrator_service"}
    problems: list[str] = []
    for name, variable in wanted.items():
        if name not in services:
            key = keys.get(name, "workers")
            known = ", ".join(sorted(services)) or "no services"
            problems.append(f"there is no service {name!r}, which compose.{key} names (there are {known})")
        elif not _uses(services[name], variable):
            problems.append(f"services.{name}.image must be ${{{variable}}}, not {_image(services[name])!r}")
    for name, service in sorted(services.items()):
        if isinstance(service, dict) and "build" in service:
            problems.append(f"services.{name}.build: a host never builds; give the service an image")
        if name not in wanted and (_uses(service, APP_IMAGE) or _uses(service, MIGRATOR_IMAGE)):
            problems.append(f"services.{name} uses the release's image: list it in compose.workers")
    return problems


def _image(service: Any) -> str:
    return str(service.get("image", "") if isinstance(service, dict) else "")[:100]


def _uses(service: Any, variable: str) -> bool:
    """Say whether the image is the variable and nothing else; ``${X:?message}`` and ``${X:-default}`` count."""
    return re.fullmatch(rf"\${variable}|\${{{variable}(?::?[?-][^}}]*)?}}", _image(service)) is not None
