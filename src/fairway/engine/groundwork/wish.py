"""What an environment asks of its host, as it crosses the protocol."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from fairway.engine.contract.environment import EnvironmentFile, environment_file
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.manifest import bundle_path
from fairway.engine.contract.names import project_name

#: A name that visitors type: what is put into nginx's file is taken from this alphabet alone.
SITE_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: A file that nginx reads; it stands in its configuration without quotes.
PLAIN_PATH = re.compile(r"/(?!.*(?:^|/)\.\.?(?:/|\Z))[A-Za-z0-9._/+@-]{1,500}")
EMAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])")
#: Where certificates are asked for by ACME, when not of Let's Encrypt.
ACME_SERVER = re.compile(
    r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(?::[0-9]{1,5})?/[A-Za-z0-9._/-]{0,200}"
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,40}")
_ADDRESS = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}:)?[0-9]{1,5}")
_TOOLS = re.compile(r"restic|rclone|apprise")
MAX_BODY_MB = 100_000
_EVERYWHERE = ("", "0.0.0.0")  # noqa: S104 - recognized, never bound to


class Tls(enum.Enum):
    """Where the site's certificate comes from."""

    CERTBOT = "certbot"
    FILES = "files"
    NONE = "none"


@dataclass(frozen=True)
class Site:
    """How visitors reach the application through the host's own nginx."""

    name: str
    tls: Tls
    certificate: str | None = None
    certificate_key: str | None = None
    email: str | None = None
    max_body_mb: int = 20
    acme_server: str | None = None

    @property
    def url(self) -> str:
        """Where visitors find it."""
        return f"{'http' if self.tls is Tls.NONE else 'https'}://{self.name}"

    def as_json(self) -> dict[str, Any]:
        """Return it as it crosses the protocol."""
        return {**self.__dict__, "tls": self.tls.value}

    @classmethod
    def parse(cls, fields: Fields) -> Site:
        """Take it out of a document. Raises ``Invalid``."""
        site = cls(
            name=fields.matching("name", SITE_NAME, "a host name in lower case"),
            tls=fields.one_of("tls", Tls),
            certificate=fields.nullable("certificate", lambda: fields.matching("certificate", PLAIN_PATH, "a path")),
            certificate_key=fields.nullable(
                "certificate_key", lambda: fields.matching("certificate_key", PLAIN_PATH, "a path")
            ),
            email=fields.nullable("email", lambda: fields.matching("email", EMAIL, "an address for mail")),
            max_body_mb=fields.integer("max_body_mb", minimum=1, maximum=MAX_BODY_MB),
            acme_server=fields.nullable("acme_server", lambda: fields.matching("acme_server", ACME_SERVER, "a URL")),
        )
        fields.end()
        return site


@dataclass(frozen=True)
class Wish:
    """All that is asked of a host.

    ``port`` is what the edge is published on, a port or an address and a port.
    ``tools`` are the programs that copies of backups and notifications need.
    """

    project: str
    environment: str
    deploy_user: str
    deploy_path: str
    port: str
    env: EnvironmentFile
    site: Site | None = None
    external_database: bool = False
    tools: tuple[str, ...] = ()

    @property
    def env_path(self) -> str:
        """Where the settings stand."""
        return str(PurePosixPath(self.deploy_path) / self.env.file)

    @property
    def upstream(self) -> str:
        """The address on which nginx finds the edge from the host itself."""
        address, _, port = self.port.rpartition(":")
        return f"{'127.0.0.1' if address in _EVERYWHERE else address}:{port}"

    @property
    def port_number(self) -> int:
        """The published port without its address."""
        return int(self.port.rpartition(":")[2])

    @property
    def published_widely(self) -> bool:
        """Whether the edge is published on every address of the host."""
        return self.port.rpartition(":")[0] in _EVERYWHERE

    def as_json(self) -> dict[str, Any]:
        """Return it as it crosses the protocol."""
        return {
            **self.__dict__,
            "env": self.env.as_json(),
            "site": self.site.as_json() if self.site else None,
            "tools": list(self.tools),
        }

    @classmethod
    def parse(cls, fields: Fields, deploy_path: str) -> Wish:
        """Take it out of a request; the deploy path is that of the connection. Raises ``Invalid``."""
        env = fields.object("env")
        wish = cls(
            project=fields.parsed("project", project_name),
            environment=fields.matching("environment", _ENVIRONMENT, "an environment's name"),
            deploy_user=fields.matching("deploy_user", _USER, "a user's name"),
            deploy_path=fields.matching("deploy_path", re.compile(re.escape(deploy_path)), "that of the connection"),
            port=fields.matching("port", _ADDRESS, "a port, or an address and a port"),
            env=environment_file(env, env.parsed("file", bundle_path)),
            site=fields.nullable("site", lambda: Site.parse(fields.object("site"))),
            external_database=fields.boolean("external_database"),
            tools=tuple(_tool(name) for name in fields.texts("tools", max_items=5)),
        )
        fields.end()
        return wish


def _tool(name: str) -> str:
    if not _TOOLS.fullmatch(name):
        raise Invalid(f"not a program that Fairway uses: {name[:60]!r}")
    return name
