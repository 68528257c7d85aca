"""``host.json``: what this host is, written at bootstrap and decided on ever after."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

import fairway
from fairway.engine.backups.upkeep import Upkeep
from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.manifest import bundle_path
from fairway.engine.contract.names import project_name
from fairway.engine.contract.versions import WRITTEN_BY, reading, take_writer
from fairway.engine.files import write_atomically
from fairway.engine.groundwork.wish import PLAIN_PATH
from fairway.engine.notifications.receivers import Notifications
from fairway.engine.watcher.doors import MAX_DOORS, Door, parse_doors

_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,40}")
_PORT = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}:)?[0-9]{1,5}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# What age takes with -r: its own recipients, those of its plugins, and SSH public keys.
_RECIPIENT = re.compile(
    r"age1[a-z0-9]{10,2000}|(?:ssh-ed25519|ssh-rsa) [A-Za-z0-9+/=]{40,4000}(?: [^\x00-\x1f\x7f]{0,200})?"
)


def image_reference(value: str) -> str:
    """Check the name of an image that Docker is to run."""
    if not _IMAGE.fullmatch(value):
        raise Invalid(f"not an image reference: {value[:100]!r}", why="for example haproxy:3.2")
    return value


@dataclass(frozen=True)
class Retention:
    """How much of its past this host keeps: releases to go back to, and deployments with their journals and logs."""

    releases: int = 10
    deployments: int = 100

    @classmethod
    def parse(cls, fields: Fields) -> Retention:
        """Take a retention out of a document. Raises ``Invalid`` naming the key."""
        retention = cls(
            releases=fields.integer("releases", minimum=2, maximum=1000),
            deployments=fields.integer("deployments", minimum=1, maximum=100_000),
        )
        fields.end()
        return retention


def recipient(value: str) -> str:
    """Check whom a backup is encrypted to: an age recipient, or an SSH public key."""
    if not _RECIPIENT.fullmatch(value):
        raise Invalid(
            f"not a recipient: {value[:20]!r}",
            why="a recipient is a public key: age1..., or a line of an SSH .pub file",
            hint="make one with: age-keygen -o key.txt; its public key is the recipient, the file stays offline",
        )
    return value


@dataclass(frozen=True)
class External:
    """A PostgreSQL outside the Compose project.

    ``url_key`` is the key of the host's environment file that holds its URL; for
    ``PGHOST`` the ``PG*`` keys beside it are taken. ``client_image`` has the programs
    that PostgreSQL's own clients are, of the server's version or newer.
    """

    url_key: str
    env_file: str
    client_image: str

    @classmethod
    def parse(cls, fields: Fields) -> External:
        """Take it out of a document. Raises ``Invalid`` naming the key."""
        external = cls(
            url_key=fields.matching("url_key", _KEY, "the key of an environment file"),
            env_file=fields.parsed("env_file", bundle_path),
            client_image=fields.matching("client_image", _IMAGE, "an image reference"),
        )
        fields.end()
        return external


@dataclass(frozen=True)
class Backups:
    """How this host's database is backed up.

    ``keep`` is how many backups stay, ``recipients`` whom they are encrypted to: none
    for plain dumps. ``external`` is None for the PostgreSQL of the Compose project.
    """

    keep: int = 20
    recipients: tuple[str, ...] = ()
    before_migrations: bool = True
    external: External | None = None

    @classmethod
    def parse(cls, fields: Fields) -> Backups:
        """Take it out of a document. Raises ``Invalid`` naming the key."""
        backups = cls(
            keep=fields.integer("keep", minimum=1, maximum=10_000),
            recipients=tuple(recipient(one) for one in fields.texts("recipients", max_items=20)),
            before_migrations=fields.boolean("before_migrations"),
            external=External.parse(fields.object("external")) if fields.has("external") else None,
        )
        fields.end()
        return backups


@dataclass(frozen=True)
class Rehearsal:
    """That a deployment's migrations are tried on a copy of the database first.

    ``smoke`` is a command for the container of the release before, empty for none.
    """

    smoke: tuple[str, ...] = ()
    smoke_timeout_s: float = 60.0

    @classmethod
    def parse(cls, fields: Fields) -> Rehearsal:
        """Take it out of a document. Raises ``Invalid`` naming the key."""
        rehearsal = cls(
            smoke=fields.texts("smoke", max_items=100),
            smoke_timeout_s=fields.number("smoke_timeout_s", minimum=1, maximum=3600),
        )
        fields.end()
        return rehearsal


@dataclass(frozen=True)
class HostConfig:
    """This host's part: which project and environment, which published port, which edge.

    ``port`` is ``APP_HOST_PORT``: a port, or an address and a port to publish on.
    ``proven_only`` says that this environment takes promoted releases only, so
    never one built from a dirty tree. ``rehearsal`` is None where none is asked for,
    ``textfile`` is the directory in which node_exporter looks for figures, ``watch`` are
    the front doors that this host looks at, its own and other environments',
    ``notifications`` None where nobody is told anything.
    """

    project: str
    environment: str
    port: str
    edge_image: str
    proven_only: bool
    retention: Retention = Retention()
    upkeep: Upkeep = field(default_factory=Upkeep)
    backups: Backups = Backups()
    textfile: str | None = None
    rehearsal: Rehearsal | None = None
    watch: tuple[Door, ...] = ()
    notifications: Notifications | None = None

    @property
    def secret_addresses(self) -> tuple[str, ...]:
        """The keys of the environment file whose values are addresses with tokens in them."""
        return self.notifications.keys if self.notifications else ()

    @classmethod
    def parse(cls, fields: Fields) -> HostConfig:
        """Take a host configuration out of a document. Raises ``Invalid`` naming the key."""
        config = cls(
            project=fields.parsed("project", project_name),
            environment=fields.matching("environment", _ENVIRONMENT, "an environment name"),
            port=fields.matching("port", _PORT, "a port, or an address and a port"),
            edge_image=fields.matching("edge_image", _IMAGE, "an image reference"),
            proven_only=fields.boolean("proven_only"),
            # A host that was prepared before there was a retention has none on file.
            retention=Retention.parse(fields.object("retention")) if fields.has("retention") else Retention(),
            upkeep=Upkeep.parse(fields.object("upkeep")) if fields.has("upkeep") else Upkeep(),
            backups=Backups.parse(fields.object("backups")) if fields.has("backups") else Backups(),
            textfile=fields.nullable_since("textfile", lambda: fields.matching("textfile", PLAIN_PATH, "a path")),
            rehearsal=Rehearsal.parse(fields.object("rehearsal")) if fields.has("rehearsal") else None,
            watch=parse_doors(fields.objects("watch", max_items=MAX_DOORS)) if fields.has("watch") else (),
            notifications=fields.nullable_since(
                "notifications", lambda: Notifications.parse(fields.object("notifications"))
            ),
        )
        fields.end()
        return config

    def write(self, path: Path) -> None:
        """Store the configuration; it holds no secret, and root may write it for the deploy user to read."""
        told = self.notifications.as_json() if self.notifications else None
        document = {
            **asdict(self),
            "upkeep": self.upkeep.as_json(),
            "notifications": told,
            WRITTEN_BY: fairway.__version__,
        }
        write_atomically(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode(), mode=0o644)


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
    document = parse_json(content, str(path))
    with reading(str(path), take_writer(document)):
        return HostConfig.parse(Fields(document, str(path)))


def read_owner(path: Path) -> tuple[str, str]:
    """Return the project and the environment that a host was prepared for, by whatever version."""
    document = parse_json(path.read_bytes(), str(path))
    found = document if isinstance(document, dict) else {}
    return str(found.get("project")), str(found.get("environment"))
