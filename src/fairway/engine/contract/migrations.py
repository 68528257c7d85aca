"""The migrations of a release as its manifest names them: each with what it does to the release before it."""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairway.engine.contract.errors import Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.names import Digest

#: More than a project honestly has; the manifest travels in one line of the protocol.
MAX_MIGRATIONS = 5000
# Migrations have the names their framework gives them, which may be in any language.
_PART = r"[^\x00-\x1f\x7f\\/]{1,255}"
_MIGRATION = re.compile(rf"{_PART}(?:/{_PART}){{0,30}}")
# What a migration tool puts on record: a revision, a folder, "app.name". In one line, whatever the language.
_RECORDED = re.compile(r"[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,253}[^\x00-\x20\x7f])?")
_WORDS = re.compile(r"[^\x00-\x1f\x7f]{0,500}")
_MAX_PARENTS = 100
_NAMED = "a migration's name, in one line of at most 255 characters"


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
    ``words`` are theirs; otherwise ``words`` say why. ``replaces`` are those that it stands for,
    when it was made out of others: a database that has these has it, and the other way round.
    """

    id: str
    digest: Digest
    verdict: Verdict
    judged: Verdict
    words: str = ""
    parents: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as the manifest has it; ``replaces`` only where there is something, for older engines' sake."""
        document = {
            **vars(self),
            "verdict": self.verdict.value,
            "judged": self.judged.value,
            "parents": list(self.parents),
            "replaces": list(self.replaces),
        }
        return document if self.replaces else {key: value for key, value in document.items() if key != "replaces"}

    @classmethod
    def parse(cls, fields: Fields) -> Migration:
        """Read one. Raises ``Invalid`` naming the key."""
        migration = cls(
            id=fields.matching("id", _RECORDED, _NAMED),
            digest=fields.parsed("digest", Digest),
            verdict=fields.one_of("verdict", Verdict),
            judged=fields.one_of("judged", Verdict),
            words=fields.matching("words", _WORDS, "one line of at most 500 characters"),
            parents=_names(fields, "parents", _MAX_PARENTS),
            replaces=fields.since("replaces", lambda: _names(fields, "replaces", MAX_MIGRATIONS), ()),
        )
        fields.end()
        return migration


@dataclass(frozen=True)
class Migrations:
    """The limits of a migrator's run and of its database session, and the migrations there are.

    The limits are those of a release that says none. ``files`` are the migrations' paths relative
    to ``fairway.toml`` with their digests, empty when ``fairway.toml`` does not say where they lie.
    ``shipped`` are the migrations as ``kind`` knows them, in the order they are applied; both are
    empty without a kind. ``status`` is the command in the migrator image that tells an ``exec``
    migrator's state, empty for the other kinds.
    """

    timeout_s: float = 3600.0
    lock_timeout_s: float = 5.0
    statement_timeout_s: float = 900.0
    attempts: int = 3
    files: Mapping[str, Digest] = field(default_factory=dict)
    kind: MigratorKind | None = None
    shipped: tuple[Migration, ...] = ()
    status: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return them as the manifest has them."""
        return {
            **vars(self),
            "files": dict(self.files),
            "kind": self.kind.value if self.kind is not None else None,
            "shipped": [one.as_json() for one in self.shipped],
            "status": list(self.status),
        }

    @classmethod
    def parse(cls, fields: Fields) -> Migrations:
        """Read them. Raises ``Invalid`` naming the key."""
        migrations = cls(
            timeout_s=fields.number("timeout_s", minimum=1, maximum=86400),
            lock_timeout_s=fields.number("lock_timeout_s", minimum=0.1, maximum=600),
            statement_timeout_s=fields.number("statement_timeout_s", minimum=0, maximum=86400),
            attempts=fields.integer("attempts", minimum=1, maximum=100),
            files=fields.since(
                "files", lambda: fields.mapped("files", migration_path, Digest, max_items=MAX_MIGRATIONS), {}
            ),
            kind=fields.nullable_since("kind", lambda: fields.one_of("kind", MigratorKind)),
            shipped=fields.since("shipped", lambda: _shipped(fields), ()),
            status=fields.since("status", lambda: fields.texts("status", max_items=100), ()),
        )
        fields.end()
        if migrations.shipped and migrations.kind is None:
            raise Invalid("release.json.migrations: shipped needs a kind")
        if repeated := [one for one, count in Counter(m.id for m in migrations.shipped).items() if count > 1]:
            raise Invalid(f"release.json.migrations: {repeated[0]!r} is shipped twice")
        return migrations


def migration_path(value: str) -> str:
    """Check the path of a migration: relative, without ``.`` and ``..``, in one line."""
    if not _MIGRATION.fullmatch(value) or any(part in (".", "..") for part in value.split("/")):
        raise Invalid(f"not a migration's path: {value[:100]!r}")
    return value


def recorded_name(value: str) -> str:
    """Check a migration's name, as a tool puts it on record."""
    if not _RECORDED.fullmatch(value):
        raise Invalid(f"not {_NAMED}: {value[:60]!r}")
    return value


def _shipped(fields: Fields) -> tuple[Migration, ...]:
    return tuple(Migration.parse(item) for item in fields.objects("shipped", max_items=MAX_MIGRATIONS))


def _names(fields: Fields, key: str, maximum: int) -> tuple[str, ...]:
    names = fields.texts(key, max_items=maximum)
    for name in names:
        if not _RECORDED.fullmatch(name):
            raise Invalid(f"release.json.migrations: {key} must be {_NAMED}, not {name[:60]!r}")
    return names
