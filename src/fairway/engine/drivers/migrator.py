"""Run a release's migrator once, and find it again whatever became of the engine that started it."""

from __future__ import annotations

import re
from typing import Callable

from fairway.engine import clock, docker
from fairway.engine.contract.errors import Failed, FairwayError
from fairway.engine.contract.manifest import Migrations
from fairway.engine.database import Database
from fairway.engine.drivers import Migrated, Report
from fairway.engine.drivers.containers import Containers
from fairway.engine.process import Check, stream
from fairway.engine.schema.tables import lines_of

_LOCK_TIMEOUT = re.compile(r"lock timeout|55P03", re.IGNORECASE)
_FIRST_PAUSE_S = 1.0
_ASK_EVERY_S = 0.2
_SESSIONS_PATIENCE_S = 10.0


class Migrator:
    """The migrator of one deployment: a named container and its sessions in the database."""

    def __init__(self, containers: Containers, name: str, deployment_id: str, database: Database | None) -> None:
        self._containers = containers
        self._name = name
        self._id = deployment_id
        self._database = database
        self.said: list[str] = []

    def run(self, start: Callable[[int | None], None], limits: Migrations, report: Report, check: Check) -> Migrated:
        """Run it to its end, again while a lock stands in its way; ``start`` takes the server's version.

        Raises ``Failed`` with what the database said, when it fails or takes too long.
        """
        before = self.applied()
        for attempt in range(1, limits.attempts + 1):
            code = self._run_once(start, limits, report, check)
            if code == 0:
                self.remove()
                return Migrated(self.said[-1] if self.said else "the migrator said nothing", before, self.applied())
            if attempt == limits.attempts or not _LOCK_TIMEOUT.search("\n".join(self.said[-20:])):
                break
            self.remove()
            pause_s = _FIRST_PAUSE_S * 2 ** (attempt - 1)
            report(f"a lock stood in the way for {limits.lock_timeout_s:g} s; trying again in {pause_s:g} s")
            _wait(pause_s, check)
        raise Failed(
            f"the migration failed (exit code {code})",
            why=migration_error(self.said),
            hint="mend the migration and release again; the old release goes on serving",
        )

    def end(self, report: Report, *, patience_s: float) -> Migrated:
        """Have neither the container nor a session of it left; return what is on record then."""
        found = self._containers.inspect([self._name])
        if found and found[0].running and patience_s > 0:
            report(f"the migrator still runs; it has {patience_s:.0f} s to come to its end")
            deadline = clock.monotonic() + patience_s
            while clock.monotonic() < deadline and found and found[0].running:
                clock.sleep(_ASK_EVERY_S)
                found = self._containers.inspect([self._name])
        if found:
            self._containers.run(docker.stop(self._name), timeout_s=found[0].stop_grace_s + 60)
            self.said = self._containers.log(self._name, 20).splitlines()
        self.remove()
        self._end_sessions(report)
        return Migrated(self.said[-1] if self.said else "", None, self.applied())

    def remove(self) -> None:
        """Remove the container."""
        self._containers.run(docker.remove(self._name))

    def applied(self) -> tuple[str, ...] | None:
        """Return the migrations on record, None when the database cannot be asked."""
        if self._database is None:
            return None
        try:
            return lines_of(self._database.migrations())
        except FairwayError:
            return None

    def _run_once(self, start: Callable[[int | None], None], limits: Migrations, report: Report, check: Check) -> int:
        if not self._containers.inspect([self._name]):
            start(self._server_version())
        deadline = clock.monotonic() + limits.timeout_s

        def on_line(line: str) -> None:
            self.said.append(line)
            report(line)

        follow = docker.logs(self._name, tail=1000, follow=True)
        while True:
            left_s = max(deadline - clock.monotonic(), 0.1)
            try:
                stream(follow, env=self._containers.env(), on_line=on_line, timeout_s=left_s, check=check)
            except Failed:
                if clock.monotonic() < deadline:
                    raise
                raise Failed(
                    f"the migration did not finish within {limits.timeout_s:g} s",
                    why=migration_error(self.said),
                    hint="it is ended and rolled back; migrations.timeout_s in fairway.toml is its limit",
                ) from None
            found = self._containers.inspect([self._name])
            if not found:
                raise Failed("the migrator's container was removed while it ran", hint="deploy again")
            if not found[0].running:
                return found[0].exit_code
            # Following ends early when the daemon is restarted; the migrator is the same.
            _wait(_ASK_EVERY_S, check)
            follow = docker.logs(self._name, tail=0, follow=True)

    def _server_version(self) -> int | None:
        if self._database is None:
            return None
        try:
            return self._database.server_version()
        except FairwayError:
            return None

    def _end_sessions(self, report: Report) -> None:
        """Wait for the database to be rid of the migrator's sessions: a client's end is not yet its statement's."""
        if self._database is None:
            return
        deadline = clock.monotonic() + _SESSIONS_PATIENCE_S
        try:
            while (left := self._database.sessions(self._id)) and clock.monotonic() < deadline:
                report(f"{left} of the migrator's database sessions are still open; ending them")
                self._database.end_sessions(self._id)
                clock.sleep(_ASK_EVERY_S)
        except FairwayError as error:
            report(f"the database cannot be asked for the migrator's sessions: {error.what}")


def migration_error(said: list[str]) -> str:
    """Pick what the database said out of a migrator's output, and keep the end of the rest."""
    errors = [line for line in said if re.search(r"\b(ERROR|FATAL|Error|Exception)\b", line)]
    tail = said[-8:]
    return "\n".join([*(line for line in errors[-2:] if line not in tail), *tail]) or "the migrator said nothing"


def _wait(seconds: float, check: Check) -> None:
    until = clock.monotonic() + seconds
    while clock.monotonic() < until:
        check()
        clock.sleep(_ASK_EVERY_S)
