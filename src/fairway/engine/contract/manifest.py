"""The release manifest, ``release.json``: all that passes from the control side to a host.

It names every part of a release by digest and says how the application is to be
run. The sha256 of its exact bytes is the release's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.engine.contract.environment import EnvironmentFile, environment_file
from fairway.engine.contract.errors import Invalid, OtherVersion
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.leftovers import MAX_TABLES, Leftovers, parse_leftovers
from fairway.engine.contract.migrations import (
    MAX_MIGRATIONS,
    Migration,
    Migrations,
    MigratorKind,
    Verdict,
    migration_path,
)
from fairway.engine.contract.names import Digest, PinnedImage, Repository, Tag, project_name
from fairway.engine.contract.tracker import Tracker
from fairway.engine.contract.versions import UPGRADE, reading

__all__ = [
    "DEPLOY_ENV",
    "FORMAT",
    "MAX_BUNDLE_BYTES",
    "MAX_MANIFEST_LENGTH",
    "MAX_MIGRATIONS",
    "MAX_PLATFORMS",
    "Bundle",
    "ComposeRoles",
    "Migration",
    "Migrations",
    "MigratorKind",
    "NamedRelease",
    "Readiness",
    "Release",
    "Soak",
    "Tracker",
    "Verdict",
    "bundle_path",
    "migration_path",
    "parse_release",
]

FORMAT = 1
#: The host's file of image references, beside the operator's own settings.
DEPLOY_ENV = "deploy.env"
MAX_BUNDLE_BYTES = 8 * 1024 * 1024
#: That many migrations with their verdicts, and room for the bundle in the same line.
MAX_MANIFEST_LENGTH = 4_000_000
MAX_PLATFORMS = 100

_SERVICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}")
_PATH = re.compile(r"/[A-Za-z0-9._~/%?=&-]{0,254}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_FILE = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_AUTHOR = re.compile(r"[^\x00-\x20\x7f<>](?:[^\x00-\x1f\x7f<>]{0,318}[^\x00-\x20\x7f<>])?")
_URL = re.compile(r"https?://[\x21-\x7e]{1,500}")
_PLATFORM = re.compile(r"[a-z0-9_.()-]{1,60}(?:/[a-z0-9_.-]{1,30}){1,2}")


@dataclass(frozen=True)
class Bundle:
    """The deploy assets: the compose file and what travels with it, as one archive."""

    digest: Digest
    size_bytes: int
    files: Mapping[str, Digest]


@dataclass(frozen=True)
class ComposeRoles:
    """Which service of the compose file plays which part.

    ``database_service`` is None when the file does not say; it is then the one
    whose image is called ``postgres``.
    """

    file: str
    app_service: str
    app_port: int
    migrator_service: str
    workers: tuple[str, ...]
    database_service: str | None = None


@dataclass(frozen=True)
class Readiness:
    """When a container counts as ready: this many 200 answers in a row, in time.

    ``listen_s`` is how long it may listen on other ports only before that is taken
    for a mistake.
    """

    path: str
    successes: int
    interval_s: float
    timeout_s: float
    listen_s: float = 5.0


@dataclass(frozen=True)
class Soak:
    """How a release is watched once it takes traffic, and what is too bad to keep.

    ``canary`` are the percentages of new requests that it gets, one after the
    other, for ``canary_s`` each, before it gets all; ``for_s`` is how long it is
    watched afterwards. A ratio is judged from ``min_requests`` requests on. A release
    that says nothing of it is not watched.
    """

    for_s: float = 0.0
    canary: tuple[int, ...] = ()
    canary_s: float = 30.0
    min_requests: int = 20
    max_error_ratio: float = 0.02
    max_slowdown: float = 3.0


@dataclass(frozen=True)
class Release:
    """One release, as ``release.json`` describes it.

    ``author`` is the e-mail address that the commit names as its author's, None where it was
    made before releases said that; ``created_by`` is who made the release, in ``ci_run``
    where it was a pipeline. ``leftovers`` are where copies of secrets may still lie in the
    database. ``errors`` is where its errors arrive, None where nobody is to ask for them.
    """

    project: str
    tag: Tag
    commit: str
    author: str | None
    source: str | None
    dirty: bool
    created_at: str
    created_by: str
    ci_run: str | None
    fairway: str
    app: PinnedImage
    migrator: PinnedImage
    bundle: Bundle
    compose: ComposeRoles
    readiness: Readiness
    migrations: Migrations
    soak: Soak
    drain_timeout_s: float
    warm_keep_s: float
    env: EnvironmentFile
    leftovers: tuple[Leftovers, ...] = ()
    errors: Tracker | None = None
    format: int = field(default=FORMAT)

    def to_bytes(self) -> bytes:
        """Return the manifest's bytes; equal releases give equal bytes."""
        return (json.dumps(_as_json(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True)
class NamedRelease:
    """A release together with its name, the digest of the manifest's exact bytes."""

    name: Digest
    release: Release

    @classmethod
    def read(cls, content: bytes) -> NamedRelease:
        """Parse the exact bytes of a ``release.json``. Raises ``Invalid`` naming the key."""
        return cls(Digest.of(content), parse_release(content))


def parse_release(content: bytes) -> Release:
    """Parse a manifest strictly. Raises ``Invalid`` naming the key that is wrong.

    A key that came with a later version may be absent, which then means what it meant before;
    any key that is not known is refused.
    """
    document = parse_json(content, "release.json")
    with reading("release.json", document.get("fairway") if isinstance(document, dict) else None):
        return _parse_release(document)


def _parse_release(document: Any) -> Release:
    fields = Fields(document, "release.json")
    version = fields.integer("format", minimum=FORMAT)
    if version > FORMAT:
        raise OtherVersion(
            "release.json was written by a newer Fairway",
            why=f"it has format {version}, this Fairway reads format {FORMAT}",
            hint=f"bring this side up to date: {UPGRADE}; a host by fairway bootstrap <environment>",
        )
    images = fields.object("images")
    release = Release(
        project=fields.parsed("project", project_name),
        tag=fields.parsed("tag", Tag),
        commit=fields.matching("commit", _COMMIT, "a full commit hash"),
        author=fields.since("author", lambda: fields.parsed("author", author_address), None),
        source=fields.nullable_since("source", lambda: fields.text("source")),
        dirty=fields.boolean("dirty"),
        created_at=fields.matching("created_at", _TIME, "a UTC time like 2026-01-31T12:00:00Z"),
        created_by=fields.text("created_by", max_length=200),
        ci_run=fields.nullable_since("ci_run", lambda: fields.parsed("ci_run", run_address)),
        fairway=fields.text("fairway", max_length=50),
        app=_image(images.object("app")),
        migrator=_image(images.object("migrator")),
        bundle=_bundle(fields.object("bundle")),
        compose=_roles(fields.object("compose")),
        readiness=_readiness(fields.object("readiness")),
        migrations=fields.since("migrations", lambda: Migrations.parse(fields.object("migrations")), Migrations()),
        soak=fields.since("soak", lambda: _soak(fields.object("soak")), Soak()),
        drain_timeout_s=fields.number("drain_timeout_s", maximum=86400),
        warm_keep_s=fields.number("warm_keep_s", maximum=30 * 86400),
        env=_environment(fields.object("env")),
        leftovers=fields.since(
            "leftovers", lambda: parse_leftovers(fields.objects("leftovers", max_items=MAX_TABLES)), ()
        ),
        errors=fields.since("errors", lambda: Tracker.parse(fields.object("errors")), None),
    )
    images.end()
    fields.end()
    if release.compose.file not in release.bundle.files:
        raise Invalid(f"release.json: the bundle does not contain the compose file {release.compose.file!r}")
    for own in (release.env.file, release.env.sealed_file, DEPLOY_ENV):
        if own in release.bundle.files:
            raise Invalid(
                f"release.json: the bundle contains {own!r}",
                why="that file is the host's own, and a release would overwrite it",
                hint="take it out of bundle.files in fairway.toml",
            )
    return release


def _image(fields: Fields) -> PinnedImage:
    image = PinnedImage(
        fields.parsed("repository", Repository),
        fields.parsed("digest", Digest),
        fields.integer("size_bytes"),
        config=fields.nullable_since("config", lambda: fields.parsed("config", Digest)),
        platforms=fields.since(
            "platforms", lambda: fields.mapped("platforms", platform_name, Digest, max_items=MAX_PLATFORMS), {}
        ),
    )
    fields.end()
    return image


def platform_name(value: str) -> str:
    """Check the name of a platform, like ``linux/amd64`` or ``linux/arm/v7``."""
    if not _PLATFORM.fullmatch(value):
        raise Invalid(f"not a platform: {value[:100]!r}", why="an operating system and an architecture: linux/amd64")
    return value


def author_address(value: str) -> str:
    """Check the e-mail address of a commit's author: whatever Git takes for one, but not nothing."""
    if not _AUTHOR.fullmatch(value):
        raise Invalid(f"not an author's e-mail address: {value[:100]!r}")
    return value


def run_address(value: str) -> str:
    """Check the address of a CI run, which is shown and opened, never asked by Fairway."""
    if not _URL.fullmatch(value):
        raise Invalid(f"not the address of a CI run: {value[:100]!r}")
    return value


def bundle_path(value: str) -> str:
    """Check a path inside the bundle: relative, plain, going nowhere else."""
    if not _FILE.fullmatch(value) or any(part in (".", "..", ".fairway", ".git") for part in value.split("/")):
        raise Invalid(
            f"not a path for the deploy bundle: {value[:100]!r}",
            why="relative, of letters, digits, '.', '_' and '-', without '..' and not below .fairway",
        )
    return value


def _bundle(fields: Fields) -> Bundle:
    files = {bundle_path(name): Digest(digest) for name, digest in fields.mapping("files").items()}
    bundle = Bundle(fields.parsed("digest", Digest), fields.integer("size_bytes"), files)
    fields.end()
    return bundle


def _roles(fields: Fields) -> ComposeRoles:
    meaning = "a Compose service name"
    workers = fields.texts("workers")
    for worker in workers:
        if not _SERVICE.fullmatch(worker):
            raise Invalid(f"release.json.compose: workers must be Compose service names, not {worker[:60]!r}")
    roles = ComposeRoles(
        file=fields.parsed("file", bundle_path),
        app_service=fields.matching("app_service", _SERVICE, meaning),
        app_port=fields.integer("app_port", minimum=1, maximum=65535),
        migrator_service=fields.matching("migrator_service", _SERVICE, meaning),
        workers=workers,
        database_service=fields.nullable_since(
            "database_service", lambda: fields.matching("database_service", _SERVICE, meaning)
        ),
    )
    fields.end()
    return roles


def _readiness(fields: Fields) -> Readiness:
    readiness = Readiness(
        path=fields.matching("path", _PATH, "a path that starts with /"),
        successes=fields.integer("successes", minimum=1, maximum=100),
        interval_s=fields.number("interval_s", minimum=0.01, maximum=60),
        timeout_s=fields.number("timeout_s", minimum=0.1, maximum=3600),
        listen_s=fields.since(
            "listen_s", lambda: fields.number("listen_s", minimum=0.1, maximum=3600), Readiness.listen_s
        ),
    )
    fields.end()
    return readiness


def _soak(fields: Fields) -> Soak:
    soak = Soak(
        for_s=fields.number("for_s", maximum=86400),
        canary=fields.integers("canary", minimum=1, maximum=100, max_items=20),
        canary_s=fields.number("canary_s", maximum=86400),
        min_requests=fields.integer("min_requests", minimum=1, maximum=1_000_000),
        max_error_ratio=fields.number("max_error_ratio", maximum=1),
        max_slowdown=fields.number("max_slowdown", minimum=1, maximum=1000),
    )
    fields.end()
    return soak


def _environment(fields: Fields) -> EnvironmentFile:
    return environment_file(fields, fields.parsed("file", bundle_path))


def _as_json(release: Release) -> dict[str, Any]:
    def image(pinned: PinnedImage) -> dict[str, Any]:
        return {**vars(pinned), "platforms": dict(pinned.platforms)}

    return {
        "format": release.format,
        "project": release.project,
        "tag": release.tag,
        "commit": release.commit,
        **({"author": release.author} if release.author is not None else {}),
        "source": release.source,
        "dirty": release.dirty,
        "created_at": release.created_at,
        "created_by": release.created_by,
        "ci_run": release.ci_run,
        "fairway": release.fairway,
        "images": {"app": image(release.app), "migrator": image(release.migrator)},
        "bundle": {
            "digest": release.bundle.digest,
            "size_bytes": release.bundle.size_bytes,
            "files": dict(release.bundle.files),
        },
        "compose": {
            "file": release.compose.file,
            "app_service": release.compose.app_service,
            "app_port": release.compose.app_port,
            "migrator_service": release.compose.migrator_service,
            "workers": list(release.compose.workers),
            "database_service": release.compose.database_service,
        },
        "readiness": dict(vars(release.readiness)),
        "migrations": release.migrations.as_json(),
        "soak": {**vars(release.soak), "canary": list(release.soak.canary)},
        "drain_timeout_s": release.drain_timeout_s,
        "warm_keep_s": release.warm_keep_s,
        "env": release.env.as_json(),
        "leftovers": [one.as_json() for one in release.leftovers],
        # A host that knows nothing of it yet takes a release that does not speak of it.
        **({"errors": release.errors.as_json()} if release.errors is not None else {}),
    }
