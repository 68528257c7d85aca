"""``host.json``: what this host is, written at bootstrap and decided on ever after."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.names import project_name
from fairway.engine.files import write_atomically

_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,40}")
_PORT = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}:)?[0-9]{1,5}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}")


@dataclass(frozen=True)
class HostConfig:
    """This host's part: which project and environment, which published port, which edge.

    ``port`` is ``APP_HOST_PORT``: a port, or an address and a port to publish on.
    ``proven_only`` says that this environment takes promoted releases only, so
    never one built from a dirty tree.
    """

    project: str
    environment: str
    port: str
    edge_image: str
    proven_only: bool

    @classmethod
    def parse(cls, fields: Fields) -> HostConfig:
        """Take a host configuration out of a document. Raises ``Invalid`` naming the key."""
        config = cls(
            project=fields.parsed("project", project_name),
            environment=fields.matching("environment", _ENVIRONMENT, "an environment name"),
            port=fields.matching("port", _PORT, "a port, or an address and a port"),
            edge_image=fields.matching("edge_image", _IMAGE, "an image reference"),
            proven_only=fields.boolean("proven_only"),
        )
        fields.end()
        return config

    def write(self, path: Path) -> None:
        """Store the configuration."""
        write_atomically(path, (json.dumps(self.__dict__, indent=2, sort_keys=True) + "\n").encode())


def read_host_config(path: Path) -> HostConfig:
    """Read this host's configuration. Raises ``Invalid`` when the host was never prepared."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise Invalid(
            "this host has not been prepared for deployments",
            why=f"{path} is missing",
            hint="fairway bootstrap <environment>",
        ) from None
    return HostConfig.parse(Fields(parse_json(content, str(path)), str(path)))
