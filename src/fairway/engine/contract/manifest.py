"""The release manifest, ``release.json``: all that passes from the control side to a host.

It names every part of a release by digest and says how the application is to be
run. The sha256 of its exact bytes is the release's name.
"""

from __future__ import annotations

import enum
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from fairway.engine.contract.environment import EnvironmentFile, environment_file
from fairway.engine.contract.errors import Invalid, OtherVersion
from fairway.engine.contract.fields import Fields, parse_json
from fairway.engine.contract.leftovers import MAX_TABLES, Leftovers, parse_leftovers
from fairway.engine.contract.names import Digest, PinnedImage, Repository, Tag, project_name
from fairway.engine.contract.versions import reading

FORMAT = 1
#: The host's file of image references, beside the operator's own settings.
DEPLOY_ENV = "deploy.env"
MAX_BUNDLE_BYTES = 8 * 1024 * 1024
#: More than a project honestly has; the manifest travels in one line of the protocol.
MAX_MIGRATIONS = 5000
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
# Migrations have the names their framework gives them, which may be in any language.
_PART = r"[^\x00-\x1f\x7f\\/]{1,255}"
_MIGRATION = re.compile(rf"{_PART}(?:/{_PART}){{0,30}}")
# What a migration tool puts on record: a revision, a folder, "app.name". In one line, whatever the language.
_RECORDED = re.compile(r"[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,253}[^\x00-\x20\x7f])?")
_WORDS = re.compile(r"[^\x00-\x1f\x7f]{0,500}")
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
    listen_s: float


class MigratorKind(enum.Enum):
    """The tool that applies a release's migrations and keeps the record of them in the database."""

    PRISMA = "prisma"
    ALEMBIC = "alembic"
    DJANGO = "django"
    SQL = "sql"
    EXEC = "exec"


class Verdict(enum.Enum):
    """Whether the release before a migration still runs on the schema after it."""

    #: It does.
    EXPAND = "expand"
    #: It does not: whoever has applied this cannot go back to a release without it.
    CONTRACT = "contract"
    #: Nobody can tell from the text; a person has to say.
    REVIEW = "review"


@dataclass(frozen=True)
class Migration:
    """One migration that a release ships, and what it does to the release before it.

    ``id`` is what the tool puts on record: the folder (Prisma), the revision (Alembic), ``app.name``
    (Django), the version (SQL files). ``parents`` are the revisions it follows, for the tools that
    record only heads. ``digest`` is of its exact bytes. ``judged`` is what Fairway found;
    ``verdict`` is what holds: the same, unless a person has said what a ``review`` is, and then
    ``words`` are theirs; otherwise ``words`` say why.
    """

    id: str
    digest: Digest
    verdict: Verdict
    judged: Verdict
    words: str = ""
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Migrations:
    """The limits of a migrator's run and of its database session, and the migrations there are.

    ``files`` are their paths relative to ``fairway.toml`` with their digests, empty when
    ``fairway.toml`` does not say where they lie. ``shipped`` are the migrations as ``kind`` knows
    them, in the order they are applied; both are empty without a kind. ``status`` is the command
    in the migrator image that tells an ``exec`` migrator's state, empty for the other kinds.
    """

    timeout_s: float
    lock_timeout_s: float
    statement_timeout_s: float
    attempts: int
    files: Mapping[str, Digest] = field(default_factory=dict)
    kind: MigratorKind | None = None
    shipped: tuple[Migration, ...] = ()
    status: tuple[str, ...] = ()


@dataclass(frozen=True)
class Soak:
    """How a release is watched once it takes traffic, and what is too bad to keep.

    ``canary`` are the percentages of new requests that it gets, one after the
    other, for ``canary_s`` each, before it gets all; ``for_s`` is how long it is
    watched afterwards. A ratio is judged from ``min_requests`` requests on.
    """

    for_s: float
    canary: tuple[int, ...]
    canary_s: float
    min_requests: int
    max_error_ratio: float
    max_slowdown: float


@dataclass(frozen=True)
class Release:
    """One release, as ``release.json`` describes it.

    ``author`` is the e-mail address that the commit names as its author's; ``created_by``
    is who made the release, in ``ci_run`` where it was a pipeline. ``leftovers`` are where
    copies of secrets may still lie in the database.
    """

    project: str
    tag: Tag
    commit: str
    author: str
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
    document = parse_json(content, "release.json")
    with reading("release.json", document.get("fairway") if isinstance(document, dict) else None):
        return _parse_release(document)


def _parse_release(document: Any) -> Release:
    fields = Fields(document, "release.json")
    version = fields.integer("format")
    if version != FORMAT:
        raise OtherVersion(
            f"release.json has format {version}, this Fairway reads format {FORMAT}",
            hint="bring both sides to the same version: fairway bootstrap <environment>",
        )
    images = fields.object("images")
    release = Release(
        project=fields.parsed("project", project_name),
        tag=fields.parsed("tag", Tag),
        commit=fields.matching("commit", _COMMIT, "a full commit hash"),
        author=fields.parsed("author", author_address),
        source=fields.nullable("source", lambda: fields.text("source")),
        dirty=fields.boolean("dirty"),
        created_at=fields.matching("created_at", _TIME, "a UTC time like 2026-01-31T12:00:00Z"),
        created_by=fields.text("created_by", max_length=200),
        ci_run=fields.nullable("ci_run", lambda: fields.parsed("ci_run", run_address)),
        fairway=fields.text("fairway", max_length=50),
        app=_image(images.object("app")),
        migrator=_image(images.object("migrator")),
        bundle=_bundle(fields.object("bundle")),
        compose=_roles(fields.object("compose")),
        readiness=_readiness(fields.object("readiness")),
        migrations=_migrations(fields.object("migrations")),
        soak=_soak(fields.object("soak")),
        drain_timeout_s=fields.number("drain_timeout_s", maximum=86400),
        warm_keep_s=fields.number("warm_keep_s", maximum=30 * 86400),
        env=_environment(fields.object("env")),
        leftovers=parse_leftovers(fields.objects("leftovers", max_items=MAX_TABLES)),
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
        config=fields.nullable("config", lambda: fields.parsed("config", Digest)),
        platforms=_digests(fields, "platforms", platform_name, max_items=MAX_PLATFORMS),
    )
    fields.end()
    return image


def _digests(fields: Fields, key: str, parse: Callable[[str], str], *, max_items: int) -> dict[str, Digest]:
    entries = fields.mapping(key)
    if len(entries) > max_items:
        raise Invalid(f"release.json: {key} has {len(entries)} entries, at most {max_items}")
    return {parse(name): Digest(digest) for name, digest in entries.items()}


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


def migration_path(value: str) -> str:
    """Check the path of a migration: relative, without ``.`` and ``..``, in one line."""
    if not _MIGRATION.fullmatch(value) or any(part in (".", "..") for part in value.split("/")):
        raise Invalid(f"not a migration's path: {value[:100]!r}")
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
        database_service=fields.nullable(
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
        listen_s=fields.number("listen_s", minimum=0.1, maximum=3600),
    )
    fields.end()
    return readiness


def _migrations(fields: Fields) -> Migrations:
    migrations = Migrations(
        timeout_s=fields.number("timeout_s", minimum=1, maximum=86400),
        lock_timeout_s=fields.number("lock_timeout_s", minimum=0.1, maximum=600),
        statement_timeout_s=fields.number("statement_timeout_s", minimum=0, maximum=86400),
        attempts=fields.integer("attempts", minimum=1, maximum=100),
        files=_digests(fields, "files", migration_path, max_items=MAX_MIGRATIONS),
        kind=fields.nullable("kind", lambda: fields.one_of("kind", MigratorKind)),
        shipped=tuple(_migration(item) for item in fields.objects("shipped", max_items=MAX_MIGRATIONS)),
        status=fields.texts("status", max_items=100),
    )
    fields.end()
    if migrations.shipped and migrations.kind is None:
        raise Invalid("release.json.migrations: shipped needs a kind")
    if repeated := [one for one, count in Counter(m.id for m in migrations.shipped).items() if count > 1]:
        raise Invalid(f"release.json.migrations: {repeated[0]!r} is shipped twice")
    return migrations


def _migration(fields: Fields) -> Migration:
    meaning = "a migration's name, in one line of at most 255 characters"
    parents = fields.texts("parents", max_items=100)
    for parent in parents:
        if not _RECORDED.fullmatch(parent):
            raise Invalid(f"release.json.migrations: parents must be {meaning}, not {parent[:60]!r}")
    migration = Migration(
        id=fields.matching("id", _RECORDED, meaning),
        digest=fields.parsed("digest", Digest),
        verdict=fields.one_of("verdict", Verdict),
        judged=fields.one_of("judged", Verdict),
        words=fields.matching("words", _WORDS, "one line of at most 500 characters"),
        parents=parents,
    )
    fields.end()
    return migration


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


def _migrations_as_json(migrations: Migrations) -> dict[str, Any]:
    shipped = [
        {**vars(one), "verdict": one.verdict.value, "judged": one.judged.value, "parents": list(one.parents)}
        for one in migrations.shipped
    ]
    kind = migrations.kind.value if migrations.kind is not None else None
    own = {"files": dict(migrations.files), "kind": kind, "shipped": shipped, "status": list(migrations.status)}
    return {**vars(migrations), **own}


def _as_json(release: Release) -> dict[str, Any]:
    def image(pinned: PinnedImage) -> dict[str, Any]:
        return {**vars(pinned), "platforms": dict(pinned.platforms)}

    return {
        "format": release.format,
        "project": release.project,
        "tag": release.tag,
        "commit": release.commit,
        "author": release.author,
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
        "migrations": _migrations_as_json(release.migrations),
        "soak": {**vars(release.soak), "canary": list(release.soak.canary)},
        "drain_timeout_s": release.drain_timeout_s,
        "warm_keep_s": release.warm_keep_s,
        "env": release.env.as_json(),
        "leftovers": [one.as_json() for one in release.leftovers],
    }
