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

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.names import Digest, PinnedImage, Repository, Tag, project_name

FORMAT = 1
#: The host's file of image references, beside the operator's own settings.
DEPLOY_ENV = "deploy.env"
MAX_BUNDLE_BYTES = 8 * 1024 * 1024

_SERVICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}")
_PATH = re.compile(r"/[A-Za-z0-9._~/%?=&-]{0,254}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_FILE = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")


@dataclass(frozen=True)
class Bundle:
    """The deploy assets: the compose file and what travels with it, as one archive."""

    digest: Digest
    size_bytes: int
    files: Mapping[str, Digest]


@dataclass(frozen=True)
class ComposeRoles:
    """Which service of the compose file plays which part."""

    file: str
    app_service: str
    app_port: int
    migrator_service: str
    workers: tuple[str, ...]


@dataclass(frozen=True)
class Readiness:
    """When a container counts as ready: this many 200 answers in a row, in time."""

    path: str
    successes: int
    interval_s: float
    timeout_s: float


@dataclass(frozen=True)
class EnvironmentFile:
    """The host's file of long-lived settings, and the keys it must have."""

    file: str
    required: tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """One release, as ``release.json`` describes it."""

    project: str
    tag: Tag
    commit: str
    source: str | None
    dirty: bool
    created_at: str
    created_by: str
    fairway: str
    app: PinnedImage
    migrator: PinnedImage
    bundle: Bundle
    compose: ComposeRoles
    readiness: Readiness
    drain_timeout_s: float
    warm_keep_s: float
    env: EnvironmentFile
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
    """Parse a manifest strictly. Raises ``Invalid`` naming the key that is wrong."""
    fields = Fields(parse_json(content, "release.json"), "release.json")
    version = fields.integer("format")
    if version != FORMAT:
        raise Invalid(
            f"release.json has format {version}, this Fairway reads format {FORMAT}",
            hint="bring both sides to the same version: fairway bootstrap <environment>",
        )
    images = fields.object("images")
    release = Release(
        project=fields.parsed("project", project_name),
        tag=fields.parsed("tag", Tag),
        commit=fields.matching("commit", _COMMIT, "a full commit hash"),
        source=fields.text("source") if fields.has("source") else None,
        dirty=fields.boolean("dirty"),
        created_at=fields.matching("created_at", _TIME, "a UTC time like 2026-01-31T12:00:00Z"),
        created_by=fields.text("created_by", max_length=200),
        fairway=fields.text("fairway", max_length=50),
        app=_image(images.object("app")),
        migrator=_image(images.object("migrator")),
        bundle=_bundle(fields.object("bundle")),
        compose=_roles(fields.object("compose")),
        readiness=_readiness(fields.object("readiness")),
        drain_timeout_s=fields.number("drain_timeout_s", maximum=86400),
        warm_keep_s=fields.number("warm_keep_s", maximum=30 * 86400),
        env=_environment(fields.object("env")),
    )
    images.end()
    fields.end()
    if release.compose.file not in release.bundle.files:
        raise Invalid(f"release.json: the bundle does not contain the compose file {release.compose.file!r}")
    for own in (release.env.file, DEPLOY_ENV):
        if own in release.bundle.files:
            raise Invalid(
                f"release.json: the bundle contains {own!r}",
                why="that file is the host's own, and a release would overwrite it",
                hint="take it out of bundle.files in fairway.toml",
            )
    return release


def _image(fields: Fields) -> PinnedImage:
    image = PinnedImage(
        fields.parsed("repository", Repository), fields.parsed("digest", Digest), fields.integer("size_bytes")
    )
    fields.end()
    return image


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
    )
    fields.end()
    return roles


def _readiness(fields: Fields) -> Readiness:
    readiness = Readiness(
        path=fields.matching("path", _PATH, "a path that starts with /"),
        successes=fields.integer("successes", minimum=1, maximum=100),
        interval_s=fields.number("interval_s", minimum=0.01, maximum=60),
        timeout_s=fields.number("timeout_s", minimum=0.1, maximum=3600),
    )
    fields.end()
    return readiness


def _environment(fields: Fields) -> EnvironmentFile:
    required = fields.texts("required")
    for key in required:
        if not _KEY.fullmatch(key):
            raise Invalid(f"release.json.env: required must name variables, not {key[:60]!r}")
    environment = EnvironmentFile(fields.parsed("file", bundle_path), required)
    fields.end()
    return environment


def _as_json(release: Release) -> dict[str, Any]:
    def image(pinned: PinnedImage) -> dict[str, Any]:
        return {"repository": pinned.repository, "digest": pinned.digest, "size_bytes": pinned.size_bytes}

    return {
        "format": release.format,
        "project": release.project,
        "tag": release.tag,
        "commit": release.commit,
        "source": release.source,
        "dirty": release.dirty,
        "created_at": release.created_at,
        "created_by": release.created_by,
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
        },
        "readiness": {
            "path": release.readiness.path,
            "successes": release.readiness.successes,
            "interval_s": release.readiness.interval_s,
            "timeout_s": release.readiness.timeout_s,
        },
        "drain_timeout_s": release.drain_timeout_s,
        "warm_keep_s": release.warm_keep_s,
        "env": {"file": release.env.file, "required": list(release.env.required)},
    }
