"""Ask this host's database what is on record, once, and hold releases against the answer."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from fairway.engine.contract.errors import Failed, FairwayError, Refused
from fairway.engine.contract.manifest import Migrations, MigratorKind, NamedRelease
from fairway.engine.deployment import Action, Deployment, Request
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.schema.describe import describe
from fairway.engine.schema.known import Known, kept_releases
from fairway.engine.schema.passage import UNCHECKED, Passage, hint_for, kind_for, to_release, unreadable
from fairway.engine.schema.record import Record, parse_told, read_record
from fairway.engine.schema.squashed import lacking
from fairway.engine.schema.tables import Table, lines_of
from fairway.engine.state import State, read_state

_SHOWN = 20
ELSEWHERE = Passage(
    note="not checked: the database is none of this project's; migrations.kind exec has a command that tells",
    checked=False,
)


class Schema:
    """The database's schema as it is on record, read when first asked for.

    ``asked`` is the release whose Compose file says which database that is, and whose
    migrator is asked where a command tells; None when this host has none yet.
    """

    def __init__(
        self,
        asked: Deployment | None,
        serving: Migrations | None,
        kept: tuple[NamedRelease, ...],
        also: Iterable[Migrations],
    ) -> None:
        self._asked = asked
        self._serving = serving
        self._kept = kept
        self._records: dict[MigratorKind, Record] = {}
        self.known = Known([*(one.release.migrations for one in kept), *also])

    @cached_property
    def tables(self) -> tuple[Table, ...] | None:
        """What migration tools keep, None when no database of the project runs. Raises ``Failed``."""
        return self._asked.driver.migrations(self._asked.launch) if self._asked is not None else None

    def record(self, kind: MigratorKind) -> Record:
        """Return what is on record for a kind of migrator. Raises ``Failed`` when it cannot be told."""
        if kind not in self._records:
            self._records[kind] = self._read(kind)
        return self._records[kind]

    def passage(self, target: Migrations, *, migrates: bool) -> Passage:
        """Return what stands in the way of a release on this database."""
        kind = kind_for(target, self._serving, migrates=migrates)
        if kind is None:
            return UNCHECKED
        try:
            record = self.record(kind)
        except FairwayError as error:
            return unreadable(": ".join(filter(None, (error.what, error.why))))
        return to_release(target, self._serving, record, self.known, migrates=migrates)

    def elsewhere(self, kind: MigratorKind) -> bool:
        """Say whether the database is none of this project's, so that only a migrator could tell what it has."""
        return kind is not MigratorKind.EXEC and self._asked is not None and self.tables is None

    def floor(self, layout: Layout) -> str | None:
        """Return the oldest release that served here and can be gone back to, None when none was found to be."""
        ledger = Ledger(layout.ledger)
        serving = read_state(layout.state).active
        free = [
            one.release
            for one in self._kept
            if (serving is None or one.name != serving.release)
            and one.release.migrations.kind is not None
            and self.passage(one.release.migrations, migrates=False).free
            and ledger.has_run(one.name)
        ]
        oldest = min(free, key=lambda release: release.created_at, default=None)
        return oldest.tag if oldest is not None else None

    def describe(self) -> dict[str, Any] | None:
        """Return the schema as a document, for ``status``; None when the database cannot be asked."""
        try:
            applied = list(lines_of(self.tables)) if self.tables is not None else None
        except FairwayError:
            return None
        return {"applied": applied} if applied is not None else None

    def of_serving(self) -> dict[str, Any]:
        """Return in full what the database has on record, held against the release that serves.

        Raises ``Refused`` when nothing serves that says what it ships, ``Failed`` when the
        database cannot be asked.
        """
        if self._asked is None or self._serving is None or self._serving.kind is None:
            raise Refused(
                "the release that serves does not say which migrations it ships",
                why="nothing serves on this host" if self._serving is None else "it was made without migrations.kind",
                hint="set migrations.kind in fairway.toml, release, and deploy that",
            )
        if self.elsewhere(self._serving.kind):
            raise Failed("the database cannot be asked", why=ELSEWHERE.note)
        record = self.record(self._serving.kind)
        return {"release": self._asked.request.tag, **describe(self._serving, record, self.known)}

    def _read(self, kind: MigratorKind) -> Record:
        if self._asked is None:
            raise Failed("no release is on this host that says which database it is")
        if kind is MigratorKind.EXEC:
            if not self._asked.release.migrations.status:
                raise Failed("the release that serves names no command that tells what is applied")
            return parse_told(self._asked.driver.migrator_status(self._asked.launch))
        if self.tables is None:
            raise Failed("no database of this project runs on this host")
        return read_record(kind, self.tables, self.known)


def open_schema(
    layout: Layout, host: HostConfig, *, asked: Deployment | None = None, also: Iterable[Migrations] = ()
) -> Schema:
    """Prepare to look at this host's schema; asks nothing yet.

    ``asked`` is a release to ask with; without one it is the one that serves. ``also``
    are migrations to know besides those of the releases kept here.
    """
    state = read_state(layout.state)
    served = _serving(layout, host, state)
    serving = _migrations_of(served)
    if serving is None:
        served = None
    return Schema(asked or served, serving, kept_releases(layout), also)


def _migrations_of(served: Deployment | None) -> Migrations | None:
    """Return what a release ships; None for no release, and for one that cannot be read."""
    try:
        return served.release.migrations if served is not None else None
    except FairwayError:
        return None


def _serving(layout: Layout, host: HostConfig, state: State) -> Deployment | None:
    active = state.active
    if active is None:
        return None
    request = Request(
        active.deployment, Action.RECONCILE, active.tag, active.release, active.slot, active.by, before=state
    )
    return Deployment(layout, host, request)


def check_schema(deployment: Deployment, *, started: bool = False) -> Passage | None:
    """Hold the database against the release before anything is touched; None where there is nothing to be held.

    Raises ``Refused`` with what stands in the way, unless it was forced. Before the first
    deployment, and while the database is down, a deployment has nothing to be held
    against yet: ``started`` says that the services were started since.
    """
    migrations, request = deployment.release.migrations, deployment.request
    if request.action not in (Action.DEPLOY, Action.ROLLBACK) or deployment.schema_checked:
        return None
    migrates = deployment.migrates
    if migrates and migrations.kind is None:
        return None
    if migrates and not started and not _can_be_asked(deployment):
        return None
    schema = open_schema(deployment.layout, deployment.host, asked=_asker(deployment), also=[migrations])
    if migrates and migrations.kind is not None and schema.elsewhere(migrations.kind):
        return ELSEWHERE
    passage = schema.passage(migrations, migrates=migrates)
    if not passage.free and not request.forced:
        floor = schema.floor(deployment.layout)
        raise Refused(
            f"{request.tag.short} may not serve on the database as it is now",
            why=deployment.redact(passage.words),
            hint=hint_for(passage, migrates=migrates, floor=floor, environment=deployment.host.environment),
        )
    deployment.schema_checked = True
    return passage


def _can_be_asked(deployment: Deployment) -> bool:
    if deployment.release.migrations.kind is MigratorKind.EXEC:
        # Its own image may not be here yet; the one that serves can tell as well.
        return deployment.request.before.active is not None
    try:
        return deployment.driver.migrations(deployment.launch) is not None
    except FairwayError:
        return False


def _asker(deployment: Deployment) -> Deployment | None:
    """Return whom to ask: a release that migrates itself, once its image is here; otherwise the one that serves."""
    kind = deployment.release.migrations.kind
    if kind is None:  # it is held against what the one that serves knows
        state = read_state(deployment.layout.state)
        serving = _migrations_of(_serving(deployment.layout, deployment.host, state))
        kind = serving.kind if serving is not None else None
    if kind is not MigratorKind.EXEC:
        return deployment
    here = deployment.migrates and deployment.driver.has_image(deployment.release.migrator)
    return deployment if here or deployment.request.before.active is None else None


def refuse_unapplied(deployment: Deployment) -> str:
    """Raise ``Failed`` when the database does not have what the release ships, whatever its migrator's exit code said.

    Returns a line about it, empty when the release does not say what it ships.
    """
    migrations = deployment.release.migrations
    if migrations.kind is None:
        return ""
    schema = open_schema(deployment.layout, deployment.host, asked=deployment, also=[migrations])
    if schema.elsewhere(migrations.kind):
        return ELSEWHERE.note
    record = schema.record(migrations.kind)
    missing = lacking(migrations, record, schema.known)
    if not missing:
        return f"all {len(migrations.shipped)} migrations are on record"
    deployment.journal.noted("migrate", missing=list(missing))
    more = [f"and {len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else []
    failed = [f"{name} failed: {why}" for name, why in record.failed.items()]
    raise Failed(
        f"the migrator ended well, but {len(missing)} of the {len(migrations.shipped)} migrations of the release are"
        " not on record",
        why=deployment.redact("\n".join([f"not applied: {', '.join([*missing[:_SHOWN], *more])}", *failed])),
        hint="see what the migrator really does: migrate.log of the deployment, on the host; the old release goes on"
        " serving",
    )
