"""Which system a host has, and where a Docker that is good enough comes from there: decided from ``os-release``."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

_LINE = re.compile(r"""^(?P<key>[A-Z_]+)=(?P<quote>["']?)(?P<value>[^"'\n]*)(?P=quote)$""", re.MULTILINE)
_WORD = re.compile(r"[a-z][a-z0-9.-]{0,30}")


class Source(enum.Enum):
    """Where Docker Engine and Compose come from."""

    #: The distribution's own packages, looked after by its security team.
    DISTRIBUTION = "the distribution's packages"
    #: Docker's own repository, where the distribution has no Compose v2, or one before 2.24.4.
    DOCKER = "Docker's own repository"


@dataclass(frozen=True)
class Distribution:
    """A system that is known here. ``docker`` are the packages of the distribution's Docker, without Compose's."""

    id: str
    version: str
    codename: str
    name: str
    source: Source
    docker: tuple[str, ...] = ()
    compose: str = ""


def distribution(os_release: str) -> Distribution | None:
    """Return the system that an ``os-release`` tells of, None for one that is not known here."""
    said = {match["key"]: match["value"] for match in _LINE.finditer(os_release)}
    name, version, codename = said.get("ID", ""), said.get("VERSION_ID", ""), said.get("VERSION_CODENAME", "")
    shown = said.get("PRETTY_NAME", name)[:80]
    if not _WORD.fullmatch(codename):
        return None
    number = tuple(int(part) for part in version.split(".")) if re.fullmatch(r"\d{1,4}(\.\d{1,4})?", version) else ()
    docker, compose = ("docker.io", "docker-cli", "iptables"), "docker-compose"
    if name == "debian":
        if number[:1] == (12,):
            return Distribution(name, version, codename, shown, Source.DOCKER)
        # Debian's next release has no number before it is out.
        if not number or number[0] >= 13:
            return Distribution(name, version, codename, shown, Source.DISTRIBUTION, docker, compose)
    if name == "ubuntu" and number:
        if number == (22, 4):
            return Distribution(name, version, codename, shown, Source.DOCKER)
        if number >= (24, 4):
            return Distribution(
                name, version, codename, shown, Source.DISTRIBUTION, ("docker.io",), "docker-compose-v2"
            )
    return None
