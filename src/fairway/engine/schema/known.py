"""The migrations that the releases on this host know: what each is, by the manifests that ship it."""

from __future__ import annotations

from collections.abc import Iterable

from fairway.engine.contract.errors import FairwayError
from fairway.engine.contract.manifest import Migration, Migrations, MigratorKind, NamedRelease, Verdict
from fairway.engine.contract.names import Digest
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.state import read_state

# What several releases say of one migration is believed where it is the worst.
_WORST = (Verdict.CONTRACT, Verdict.REVIEW, Verdict.EXPAND)


class Known:
    """Every migration that some release here ships, for each kind of migrator."""

    def __init__(self, releases: Iterable[Migrations]) -> None:
        self._found: dict[MigratorKind, dict[str, list[Migration]]] = {}
        for release in releases:
            if release.kind is None:
                continue
            of_kind = self._found.setdefault(release.kind, {})
            for migration in release.shipped:
                of_kind.setdefault(key_of(release.kind, migration.id), []).append(migration)

    def worst(self, kind: MigratorKind, identity: str) -> Migration | None:
        """Return the migration with the worst verdict that a release gives it, None when no release ships it."""
        return _worst(self._of(kind).get(key_of(kind, identity), []))

    def with_bytes(self, kind: MigratorKind, identity: str, checksum: str) -> Migration | None:
        """Return the same of those releases that ship exactly these bytes, None when none does."""
        found = self._of(kind).get(key_of(kind, identity), [])
        return _worst([one for one in found if one.digest == f"sha256:{checksum.lower()}"])

    def parents(self, kind: MigratorKind, identity: str) -> tuple[str, ...]:
        """Return the migrations that one follows, by every release that ships it."""
        found = self._of(kind).get(key_of(kind, identity), [])
        return tuple(dict.fromkeys(parent for one in found for parent in one.parents))

    def replaced(self, kind: MigratorKind, identity: str, digest: Digest | None = None) -> tuple[str, ...]:
        """Return what one stands for, by every release that ships it with these bytes.

        Without a digest nobody knows which bytes were meant, and only what it stands for in every version counts.
        """
        versions = self._versions(kind, identity)
        if digest is not None:
            return tuple(versions.get(digest, ()))
        first, *others = versions.values() or [{}]
        return tuple(name for name in first if all(name in other for other in others))

    def versions(self, kind: MigratorKind, identity: str) -> tuple[tuple[str, ...], ...]:
        """Return what one stands for in each of its versions, which may be nothing; empty when no release ships it."""
        return tuple(tuple(names) for names in self._versions(kind, identity).values())

    def names(self, kind: MigratorKind) -> tuple[str, ...]:
        """Return the names of all of a kind, each once, as the release that came first writes it."""
        return tuple(found[0].id for found in self._of(kind).values())

    def _versions(self, kind: MigratorKind, identity: str) -> dict[str, dict[str, None]]:
        versions: dict[str, dict[str, None]] = {}
        for one in self._of(kind).get(key_of(kind, identity), []):
            versions.setdefault(one.digest, {}).update(dict.fromkeys(one.replaces))
        return versions

    def _of(self, kind: MigratorKind) -> dict[str, list[Migration]]:
        return self._found.get(kind, {})


def _worst(found: list[Migration]) -> Migration | None:
    return min(found, key=lambda one: _WORST.index(one.verdict), default=None)


def key_of(kind: MigratorKind, identity: str) -> str:
    """Return what a migration is compared by: a version that a table keeps as a number has lost its leading zeros."""
    if kind is MigratorKind.SQL and identity.isascii() and identity.isdigit():
        return identity.lstrip("0") or "0"
    return identity


def kept_releases(layout: Layout) -> tuple[NamedRelease, ...]:
    """Read the manifests that this host keeps. One that cannot be read tells nothing: its migrations are unknown.

    Neither does one that the gate never let in: whoever may hand releases over could say by it
    what a migration stands for, and have a rollback pass that is to be refused.
    """
    state, ledger = read_state(layout.state), Ledger(layout.ledger)
    served = {occupant.release for occupant in (state.active, state.previous) if occupant is not None}
    found = []
    for path in sorted(layout.releases.glob("*/release.json")):
        try:
            named = NamedRelease.read(path.read_bytes())
            if named.name in served or ledger.was_let_in(named.name):
                found.append(named)
        except (FairwayError, OSError):
            continue
    return tuple(found)
