"""What a client may ask for, by what it is about.

Each module has a table of its operations, and is imported when one of them is asked
for: a status or a rollback does not wait for what only they need.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Callable

from fairway.engine.contract.environment import EnvironmentFile, environment_file
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.manifest import bundle_path
from fairway.engine.hostconfig import HostConfig, read_host_config
from fairway.engine.layout import Layout


@dataclass(frozen=True)
class Call:
    """One request: what the client gave along, and a way to say something before the answer.

    ``notice`` raises when nobody listens any more.
    """

    layout: Layout
    args: Fields
    notice: Callable[[str], None]

    def host(self) -> HostConfig:
        """Return what this host is. Raises ``Invalid`` before it was prepared."""
        return read_host_config(self.layout.host_config)

    def tell(self, line: str) -> None:
        """Say something about what goes on, though the client may be gone: that does not stop what it began."""
        with suppress(BrokenPipeError):
            self.notice(line)


Answer = Callable[[Call], dict[str, Any]]


def environment_of(args: Fields) -> EnvironmentFile:
    """Take which environment file is meant, and what is expected in it, out of a request."""
    fields = args.object("env")
    return environment_file(fields, fields.parsed("file", bundle_path))


def base64_bytes(text: str) -> bytes:
    """Return what a request carries as base64. Raises ``Invalid``."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("not base64") from None
