"""Carry a rehearsal out: a copy of the database, the release before on it, the migrations, the release before again."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from fairway.engine import clock, docker
from fairway.engine.backups.flow import Report
from fairway.engine.backups.gauge import watched
from fairway.engine.backups.postgres import Beside, InContainer, Postgres, candidates, locate
from fairway.engine.backups.scratch import image_for
from fairway.engine.backups.store import Store
from fairway.engine.contract.errors import Cancelled, Failed, FairwayError, Unreachable
from fairway.engine.contract.manifest import MigratorKind, Readiness, Release
from fairway.engine.contract.names import Tag
from fairway.engine.database import Database
from fairway.engine.diagnosis import death, describe, remedy
from fairway.engine.drivers.containers import Containers
from fairway.engine.drivers.migrator import Migrator
from fairway.engine.edge import Answer, Edge
from fairway.engine.files import write_atomically
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.lock import Lock
from fairway.engine.model import EDGE_SERVICE, EdgeMounts, Model, compose_text, session_options, slot_service
from fairway.engine.process import Check, stream
from fairway.engine.redact import Redactor
from fairway.engine.rehearsal import removal, stage
from fairway.engine.rehearsal.filling import About, about, fill, session_of
from fairway.engine.rehearsal.locks import locks_of, steps_of
from fairway.engine.rehearsal.naming import Naming
from fairway.engine.rehearsal.report import Asked, Rehearsed, recorded
from fairway.engine.rehearsal.sampling import INTERVAL_S, sampled
from fairway.engine.rehearsal.source import choose, refuse_full
from fairway.engine.schema.known import Known, kept_releases
from fairway.engine.schema.record import read_record
from fairway.engine.schema.squashed import lacking
from fairway.engine.schema.tables import Table, lines_of
from fairway.engine.state import read_state

# Another rehearsal that is under way is waited for, however long it takes: whoever deploys may cancel.
_OTHER_PATIENCE_S = 24 * 3600.0
_UP_PATIENCE_S = 300.0
_BOOT_S = 120.0
_EDGE_PATIENCE_S = 20.0
_LOOK_EVERY_S = 0.1
_LOOK_AT_CONTAINER_EVERY_S = 0.5
_LOG_LINES = 15
_SHOWN = 20
_RESTART_GRACE_S = 3


@dataclass(frozen=True)
class Side:
    """A release on the stage."""

    part: stage.Part
    release: Release
    tag: Tag


class Rehearsal:
    """One rehearsal on this host; :meth:`play` leaves nothing of it, whatever comes of it."""

    def __init__(
        self,
        layout: Layout,
        host: HostConfig,
        redact: Redactor,
        *,
        identity: str,
        new: Side,
        before: Side | None,
        report: Report,
        check: Check,
    ) -> None:
        self._layout = layout
        self._host = host
        self._redact = redact
        self._containers = Containers(layout, redact)
        self._naming = Naming(host.project, identity)
        self._new = new
        self._before = before
        self._report = report
        self._check = check
        self._directory = removal.directory(layout, identity)
        self._edge = Edge(self._directory, self._directory / "run")
        self._trial = InContainer(self._naming.database, self._containers.env())
        self._took: dict[str, float] = {}
        self._copy_of = stage.Copy("", "", "")
        self._server_version: int | None = None
        self._elsewhere: stage.Elsewhere | None = None
        #: What the migrator said, line by line.
        self.said: list[str] = []

    def play(self, free_bytes: int) -> Rehearsed | str:
        """Rehearse; return why not where there is nothing to rehearse on.

        Raises ``Failed`` when the migrations fail, or the rehearsal cannot be had, and what ``check`` raises.
        """
        service = stage.database_service(self._before.part if self._before else self._new.part)
        if self._host.backups.external is None and not candidates(self._containers, self._host, service):
            return "nothing was rehearsed: no PostgreSQL of this project runs here"
        real = locate(self._layout, self._host, service)
        found = about(real)
        if not found.tables:
            return "the database has no tables yet"
        refuse_full(found.size_bytes, free_bytes)
        external = self._host.backups.external
        if external is not None and isinstance(real, Beside):
            self._elsewhere = stage.Elsewhere(external.url_key, real.connection.get("PGHOST", ""))
        with _alone(self._layout, self._report, self._check):
            removal.remove_all(self._layout, self._containers, self._host.project)
            self._directory.joinpath("run").mkdir(mode=0o700, parents=True)
            try:
                return self._play(real, found)
            finally:
                removal.remove(self._layout, self._containers, self._naming.id)

    def _play(self, real: Postgres, found: About) -> Rehearsed:
        database = found.name
        backup = choose(Store(self._layout).list(), self._naming.id, self._serving())
        # A client's image knows nothing of the libraries of a server elsewhere.
        preloaded = found.preloaded if isinstance(real, InContainer) else ""
        self._copy_of = stage.Copy(image_for(real), database, secrets.token_hex(24), preloaded)
        with self._timed("copy"):
            self._start_database()
            with watched(self._trial, self._check) as watching:
                notes = fill(
                    real,
                    self._trial,
                    database,
                    backup,
                    Store(self._layout),
                    self._containers.env(),
                    session=session_of(self._naming.id),
                    report=self._report,
                    check=watching,
                )
        if self._before is not None:
            self._start_before(self._before)
        tables = self._tables()
        rehearsed = self._migrate(database, tables)
        asked = self._ask_again(self._before) if self._before is not None else None
        source = backup.id if backup is not None else None
        return replace(rehearsed, backup=source, before=asked, took=dict(self._took), notes=(*notes, *rehearsed.notes))

    # -- the copy

    def _start_database(self) -> None:
        self._report("starting a PostgreSQL for a copy of the database")
        self._up(self._model(), [stage.DATABASE_SERVICE])
        name = self._naming.database
        # While the image sets its data up, the server listens on its socket only.
        ready = ["docker", "exec", name, "pg_isready", "--quiet", "--host=127.0.0.1"]
        deadline = clock.monotonic() + _BOOT_S
        while self._containers.run(ready).returncode != 0:
            self._check()
            found = self._containers.inspect([name])
            if not found or not found[0].running or clock.monotonic() > deadline:
                raise Failed(
                    "the PostgreSQL for the rehearsal does not come up",
                    why=self._containers.log(name, 5) or "it said nothing",
                    hint="nothing was touched",
                )
            clock.sleep(_LOOK_EVERY_S)
        self._server_version = Database(name, self._containers.env()).server_version()

    def _tables(self) -> tuple[Table, ...]:
        return Database(self._naming.database, self._containers.env()).migrations()

    # -- the release before

    def _start_before(self, before: Side) -> None:
        """Have the release before serve on the copy as it is: what it lacks here, no migration has taken from it."""
        with self._timed("start"):
            model = self._model()
            self._edge.write_config(before.release.compose.app_port, None)
            if around := stage.supporting(model):
                self._report(f"starting {', '.join(around)} for the rehearsal, with no data")
                self._up(model, around)
            self._report(f"starting {before.tag.short} on the copy as it is")
            self._up(model, [EDGE_SERVICE, slot_service(stage.SLOT)])
            self._wait_for_edge()
            trouble, hint = self._wait_ready(before)
        if trouble:
            raise Failed(
                f"{before.tag.short}, which serves, is not ready in the rehearsal even before the migrations",
                why=trouble,
                hint=f"{hint}; it has no way out of the rehearsal and finds no data but the database's:"
                " docs/how-to/migrations.md; nothing was touched",
            )

    def _ask_again(self, before: Side) -> Asked:
        with self._timed("again"):
            self._report(f"starting {before.tag.short} again, on what the migrations left")
            done = self._containers.run(
                ["docker", "restart", "-t", str(_RESTART_GRACE_S), self._naming.app], timeout_s=120
            )
            if done.returncode != 0:
                raise Failed("the release before could not be started again", why=self._containers.tail(done))
            trouble, hint = self._wait_ready(before)
            if trouble:
                return Asked(before.tag, ready=False, smoke=None, said=trouble, hint=hint)
        rehearsal = self._host.rehearsal
        if rehearsal is None or not rehearsal.smoke:
            return Asked(before.tag, ready=True, smoke=None)
        with self._timed("smoke"):
            said = self._smoke(rehearsal.smoke, rehearsal.smoke_timeout_s)
        hint = f"it is rehearsal.smoke in fairway.toml: {' '.join(rehearsal.smoke)}"
        return Asked(before.tag, ready=True, smoke=not said, said=said, hint=hint)

    def _smoke(self, command: tuple[str, ...], timeout_s: float) -> str:
        """Run the smoke command; return the end of what it said when it failed, and nothing otherwise."""
        self._report(f"running {' '.join(command)} in it")
        lines: list[str] = []
        try:
            code = stream(
                ["docker", "exec", self._naming.app, *command],
                env=self._containers.env(),
                on_line=lines.append,
                timeout_s=timeout_s,
                check=self._check,
            )
            ended = f"it ended with {code}"
        except Failed:
            code, ended = 1, f"it did not end within {timeout_s:g} s"
        if code == 0:
            return ""
        return self._redact("\n".join([*lines[-_LOG_LINES:], ended]))

    def _wait_for_edge(self) -> None:
        deadline = clock.monotonic() + _EDGE_PATIENCE_S
        while not self._edge.answers():
            self._check()
            if clock.monotonic() > deadline:
                raise Failed(
                    "the rehearsal's own edge did not come up", why=self._containers.log(self._naming.edge, 10)
                )
            clock.sleep(_LOOK_EVERY_S)

    def _wait_ready(self, side: Side) -> tuple[str, str]:
        """Wait until the application is ready; return why it is not and what to do, both empty when it is."""
        readiness = side.release.readiness
        found = self._containers.inspect([self._naming.app])
        if found and len(found[0].addresses) == 1:
            self._edge.point(stage.SLOT, found[0].addresses[0], side.release.compose.app_port)
        begun = look_at = clock.monotonic()
        streak = 0
        while True:
            self._check()
            answer = self._edge.probe(stage.SLOT, readiness.path)
            streak = streak + 1 if answer.ready else 0
            if streak >= readiness.successes:
                return "", ""
            now = clock.monotonic()
            if now >= look_at:
                if hopeless := self._hopeless():
                    return hopeless
                look_at = now + _LOOK_AT_CONTAINER_EVERY_S
            if now - begun >= readiness.timeout_s:
                return self._not_ready(readiness, answer), "the answer above names what is missing"
            clock.sleep(readiness.interval_s)

    def _hopeless(self) -> tuple[str, str] | None:
        found = self._containers.inspect([self._naming.app])
        container = found[0] if found else None
        reason = death(container)
        if reason is None:
            return None
        log = self._containers.log(self._naming.app, _LOG_LINES)
        return f"{reason}\n{log or 'it said nothing before it ended'}", remedy(container, log)

    def _not_ready(self, readiness: Readiness, answer: Answer) -> str:
        log = self._containers.log(self._naming.app, _LOG_LINES)
        last = self._redact(describe(answer))
        return f"GET {readiness.path} within {readiness.timeout_s:g} s: {last}\nlast lines of its log:\n{log}"

    # -- the migrations

    def _migrate(self, database: str, tables: tuple[Table, ...]) -> Rehearsed:
        limits = self._new.release.migrations
        name = self._naming.migrator
        migrator = Migrator(self._containers, name, self._naming.id, Database(self._naming.database, self._trial.env))
        options = session_options(limits, self._server_version)
        self.said = migrator.said

        def start(server_version: int | None) -> None:
            self._up(self._model(options), [stage.MIGRATOR_SERVICE])

        self._report("migrating the copy")
        with self._timed("migrate"), sampled(self._trial, database, self._others(), self._applied) as samples:
            try:
                migrator.run(start, limits, self._report, self._check)
            except (Cancelled, Unreachable):
                raise
            except FairwayError as error:
                raise Failed(
                    f"in the rehearsal {error.what}",
                    why=self._redact(error.why),
                    hint="mend the migration and release again; the database was not touched",
                ) from None
        after = self._tables()
        notes = self._refuse_unapplied(after)
        exact = recorded(after, self._applied(tables))
        return Rehearsed(None, {}, exact or steps_of(samples), bool(exact), locks_of(samples, INTERVAL_S), None, notes)

    def _applied(self, tables: Sequence[Table]) -> tuple[str, ...]:
        """Return the names of what is applied, as releases write them where they say what they ship."""
        kind = self._new.release.migrations.kind
        if kind is None or kind is MigratorKind.EXEC:
            return tuple(line.partition(" ")[2] for line in lines_of(tables))
        return read_record(kind, tables, self._known).applied

    @cached_property
    def _known(self) -> Known:
        kept = (one.release.migrations for one in kept_releases(self._layout))
        return Known([*kept, self._new.release.migrations])

    def _others(self) -> list[str]:
        """Return the addresses of whoever has sessions in the copy besides the migrator."""
        model = self._model()
        services = [*stage.supporting(model), *([slot_service(stage.SLOT)] if self._before else [])]
        names = [str(model["services"][name]["container_name"]) for name in services]
        return [address for found in self._containers.inspect(names) for address in found.addresses] if names else []

    def _refuse_unapplied(self, after: tuple[Table, ...]) -> tuple[str, ...]:
        """Raise ``Failed`` when the copy does not have what the release ships; the exit code is not believed."""
        migrations = self._new.release.migrations
        if migrations.kind is None or migrations.kind is MigratorKind.EXEC:
            return ("what the migrator has applied was not asked for: only its exit code says that it ended well",)
        missing = lacking(migrations, read_record(migrations.kind, after, self._known), self._known)
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            raise Failed(
                "in the rehearsal the migrator ended well, but not everything that the release ships is on record",
                why=self._redact(f"not applied: {', '.join(missing[:_SHOWN])}{more}"),
                hint="see what the migrator really does: rehearse.log of the deployment, on the host",
            )
        return ()

    # -- Docker

    def _model(self, options: str = "") -> Model:
        mounts = EdgeMounts(
            image=self._host.edge_image,
            user=f"{os.getuid()}:{os.getgid()}",
            config_dir=str(self._directory),
            run_dir=str(self._directory / "run"),
        )
        return stage.build(
            self._naming,
            new=self._new.part,
            before=self._before.part if self._before else None,
            copy_of=self._copy_of,
            edge=mounts,
            options=options,
            elsewhere=self._elsewhere,
            kind=_kind,
        )

    def _up(self, model: Model, services: list[str]) -> None:
        self._check()
        flags = ("--no-deps", "--no-recreate", "--pull", "never")
        argv = docker.compose_up(self._naming.compose_project, self._layout.deploy_path, services, *flags)
        said: list[str] = []
        code = stream(
            argv,
            env=self._containers.env(),
            on_line=said.append,
            stdin=compose_text(model),
            timeout_s=_UP_PATIENCE_S,
            check=self._check,
        )
        if code != 0:
            raise Failed(
                "a part of the rehearsal did not start",
                why=self._redact("\n".join(said[-_LOG_LINES:])[-1500:]),
                hint="the last line above is Docker's own reason; nothing was touched",
            )

    def _serving(self) -> Tag | None:
        active = read_state(self._layout.state).active
        return active.tag if active is not None else None

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        begun = clock.monotonic()
        yield
        self._took[what] = clock.monotonic() - begun


def write_log(layout: Layout, identity: str, text: str) -> None:
    """Keep what the migrator said in the deployment's directory; one that is asked for by itself has none."""
    where = layout.deployment(identity)
    if where.is_dir():
        write_atomically(where / "rehearse.log", text.encode())


@contextmanager
def _alone(layout: Layout, report: Report, check: Check) -> Iterator[None]:
    """Be the only rehearsal on this host, whoever else asks for one."""

    def notice(line: str) -> None:
        check()
        report(line)

    layout.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = removal.lock_of(layout)
    lock = Lock.acquire(path, by="fairway", purpose="rehearsal", wait_s=_OTHER_PATIENCE_S, notice=notice)
    try:
        yield
    finally:
        lock.release()


def _kind(path: str) -> str:
    if os.path.isfile(path):  # noqa: PTH113 - a path of the operator's, as Compose has it
        return "file"
    return "directory" if os.path.isdir(path) else "other"  # noqa: PTH112
