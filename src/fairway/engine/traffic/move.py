"""Move the forwards of this host's nginx: to Fairway's path, and back to the existing set-up."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Callable

from fairway.engine import clock
from fairway.engine.contract.errors import Failed, FairwayError, Invalid, Refused
from fairway.engine.contract.protocol import Outcome
from fairway.engine.hostconfig import HostConfig
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.lock import Lock
from fairway.engine.nginx import server
from fairway.engine.nginx.grammar import Forward, decode, encode
from fairway.engine.ownership import as_deploy_user
from fairway.engine.releases import load_release
from fairway.engine.sockets import is_here
from fairway.engine.state import read_state
from fairway.engine.survey import find_application
from fairway.engine.traffic.edits import Edit, WayBack, digest, edits_forward, way_back
from fairway.engine.traffic.probe import require_alive, require_ready
from fairway.engine.traffic.record import ChangedFile, Record, Side, backup_path, read_record, remove_record

Say = Callable[[str], None]
_MIN_SUCCESSES = 3


@dataclass(frozen=True)
class Plan:
    """The edits of a move and the record that will say so. Without edits, ``remark`` says why none are needed."""

    edits: list[Edit]
    record: Record | None
    remark: str


class Traffic:
    """This host's traffic: where nginx forwards it, and where it can go."""

    def __init__(self, layout: Layout, host: HostConfig, *, by: str, say: Say) -> None:
        self._layout = layout
        self._host = host
        self._by = by
        self._say = say

    @cached_property
    def _config(self) -> server.NginxConfig:
        config = server.read_config()
        if not config.installed:
            raise Invalid("there is no nginx on this host", hint="move the traffic where it is forwarded from")
        if config.invalid:
            raise Refused(
                "nginx's configuration is not valid as it is", why=config.invalid, hint="mend it first: nginx -t"
            )
        return config

    @property
    def target(self) -> str:
        """Where Fairway's path is published, as nginx on this host reaches it."""
        return self._host.port if ":" in self._host.port else f"127.0.0.1:{self._host.port}"

    def show(self, side: Side, port: int | None) -> None:
        """Say what a move would change."""
        plan = self._plan(side, port)
        for edit in plan.edits:
            self._say(edit.diff())
        self._say(plan.remark)
        for path in self._config.unreadable:
            self._say(f"not looked at, since this user may not read it: {path}")

    def move(self, side: Side, port: int | None, *, anyway: bool) -> None:
        """Move the traffic and put it on the record. Raises ``Refused`` or ``Failed`` with everything as it was."""
        if os.geteuid() != 0:
            raise Refused("only root changes nginx's configuration", hint="run it with sudo, or look with --plan")
        with as_deploy_user(self._layout):
            lock = Lock.acquire(self._layout.lock, by=self._by, purpose=f"traffic to-{side.value}")
        try:
            self._settle()
            begun = clock.monotonic()
            with self._on_record(side, begun):
                plan = self._plan(side, port)
                if plan.edits:
                    self._require(side, plan, anyway=anyway)
                    self._carry_out(plan)
            self._finish(side, plan, begun)
        finally:
            lock.release()

    # -- what is to be done

    def _plan(self, side: Side, port: int | None) -> Plan:
        return self._plan_forward(port) if side is Side.FAIRWAY else self._plan_back()

    def _plan_forward(self, port: int | None) -> Plan:
        port = port or self._existing_port()
        edits = edits_forward(
            self._config.texts,
            lambda f: f.port == port and f.address != self.target and is_here(f.host),
            self.target,
        )
        if not edits:
            if self._leading_to_fairway():
                return Plan([], None, f"nginx forwards to Fairway ({self.target}) already; nothing was changed")
            raise Refused(
                f"nginx forwards to port {port} of this host nowhere",
                why=f"looked at {len(self._config.texts)} files of its configuration",
                hint="name the port that visitors are forwarded to now: --from <port>",
            )
        for path, forward in self._config.forwards():
            if not forward.known and forward.port == port and is_here(forward.host):
                self._say(f"left alone, look at it yourself: {path}:{forward.line}: {forward.text}")
        files = tuple(edit.changed_file for edit in edits)
        record = Record(Side.FAIRWAY, True, clock.now(), self._by, files)
        return Plan(edits, record, f"forwards to port {port} go to {self.target}")

    def _existing_port(self) -> int:
        _, application = find_application(self._layout, self._config, self._host.project)
        if application is None:
            raise Refused(
                "it is not clear which application serves visitors now",
                why="no Compose project, or more than one, looks like it",
                hint="name the port that nginx forwards to now: --from <port>",
            )
        return application.port

    def _plan_back(self) -> Plan:
        record = read_record(self._layout)
        leading = self._leading_to_fairway()
        if record is None or (record.to is Side.MANUAL and not record.moving) or not leading:
            if not leading:
                return Plan([], None, "nginx forwards nothing to Fairway; nothing was changed")
            raise self._not_ours(leading)
        ways = [(file, self._way_back(file)) for file in record.files]
        edits = [way.edit for _, way in ways if way.edit is not None]
        if not edits:
            raise self._not_ours(leading)
        for file, way in ways:
            self._describe(file, way)
        return Plan(
            edits, record.turned(Side.MANUAL, at=clock.now(), by=self._by), "forwards go back to where they led"
        )

    def _way_back(self, file: ChangedFile) -> WayBack:
        text = self._config.texts.get(file.path)
        if text is None:
            return WayBack(None, whole=False, gone=file.made)
        try:
            copy: str | None = decode(backup_path(self._layout, file.before).read_bytes())
        except OSError:
            copy = None
        return way_back(file, text, copy)

    def _describe(self, file: ChangedFile, way: WayBack) -> None:
        if way.edit is not None and way.whole:
            self._say(f"{file.path}: byte for byte what it was")
        elif way.edit is not None:
            self._say(f"{file.path}: was edited since, so only its forwards are changed back")
        for made in way.gone:
            self._say(f"{file.path}: the forward that line {made.line} had to {made.new} is not there any more")

    def _leading_to_fairway(self) -> list[tuple[str, Forward]]:
        number = int(self.target.rpartition(":")[2])
        return [(path, f) for path, f in self._config.forwards() if f.known and f.port == number and is_here(f.host)]

    def _not_ours(self, leading: list[tuple[str, Forward]]) -> Refused:
        places = "\n".join(f"{path}:{forward.line}: {forward.text}" for path, forward in leading)
        return Refused(
            "the forwards to Fairway are not ones that Fairway has made, or were edited since",
            why=places,
            hint="edit these lines yourself, then: nginx -t && nginx -s reload",
        )

    # -- doing it

    def _require(self, side: Side, plan: Plan, *, anyway: bool) -> None:
        """Refuse a move to where visitors would not be served."""
        with as_deploy_user(self._layout):
            active = read_state(self._layout.state).active
            readiness = load_release(self._layout, active.tag).release.readiness if active else None
        if side is Side.MANUAL:
            path = readiness.path if readiness else "/"
            for address in dict.fromkeys(made.new for edit in plan.edits for made in edit.made):
                if not anyway:
                    require_alive(address, path)
            return
        if readiness is None:
            raise Refused(
                "nothing serves on Fairway's path yet",
                hint=f"fairway deploy {self._host.environment} <tag>, look at it on {self.target}, then move traffic",
            )
        require_ready(self.target, readiness.path, max(_MIN_SUCCESSES, readiness.successes))

    def _carry_out(self, plan: Plan) -> None:
        """Change the files, have nginx check them, and reload it; put everything back when it does not agree."""
        assert plan.record is not None
        with as_deploy_user(self._layout):
            before = read_record(self._layout)
        for edit in plan.edits:
            self._keep_copy(edit.before)
        self._write(plan.record)
        changed: list[Edit] = []
        try:
            for edit in plan.edits:
                server.replace_file(edit.path, edit.before, edit.after)
                changed.append(edit)
            if problem := server.check():
                raise Failed(
                    "nginx does not accept the change; its files are as they were",
                    why=problem,
                    hint="nginx -t says more",
                )
            server.reload(self._config.texts)
        except BaseException:
            for edit in changed:
                server.replace_file(edit.path, edit.after, edit.before)
            self._write(before)
            with contextlib.suppress(FairwayError):
                server.signal_reload()
            raise

    def _settle(self) -> None:
        """Bring a move that was interrupted to an end, which is where the existing set-up serves."""
        with as_deploy_user(self._layout):
            record = read_record(self._layout)
        if record is None or not record.moving:
            return
        begun = clock.monotonic()
        for file in record.files:
            server.sweep(file.path)
            edit = self._way_back(file).edit
            if edit is not None:
                server.replace_file(edit.path, edit.before, edit.after)
        server.reload(self._config.texts)
        lost = Failed("the move was interrupted", hint="nginx forwards to the existing set-up; move traffic again")
        self._append(record.to, Outcome.FAILED, begun, error=lost.as_json())
        self._write(record.arrived(Side.MANUAL))
        del self._config
        self._say(f"an interrupted move to {record.to.value} was ended: nginx forwards to the existing set-up")

    def _keep_copy(self, text: str) -> None:
        """Keep a file's content; for root only, as the file may be."""
        path = backup_path(self._layout, digest(text))
        with as_deploy_user(self._layout):
            path.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(encode(text))
                file.flush()
                os.fsync(descriptor)

    def _write(self, record: Record | None) -> None:
        with as_deploy_user(self._layout):
            if record is not None:
                record.write(self._layout)
            else:
                remove_record(self._layout)

    # -- what is said of it

    @contextlib.contextmanager
    def _on_record(self, side: Side, begun: float) -> Iterator[None]:
        try:
            yield
        except FairwayError as error:
            self._append(side, Outcome.FAILED, begun, error=error.as_json())
            raise

    def _finish(self, side: Side, plan: Plan, begun: float) -> None:
        if not plan.edits:
            self._say(plan.remark)
            return
        changes = [
            {"file": edit.path, "line": made.line, "from": made.old, "to": made.new}
            for edit in plan.edits
            for made in edit.made
        ]
        self._append(side, Outcome.SUCCEEDED, begun, changes=changes)
        assert plan.record is not None
        self._write(plan.record.arrived(side))
        for change in changes:
            self._say(f"{change['file']}:{change['line']}: {change['from']} -> {change['to']}")
        self._say(f"traffic goes to {'Fairway' if side is Side.FAIRWAY else 'the existing set-up'}")

    def _append(self, side: Side, outcome: Outcome, begun: float, **facts: Any) -> None:
        with as_deploy_user(self._layout):
            Ledger(self._layout.ledger).append(
                action="traffic",
                outcome=outcome.value,
                to=side.value,
                by=self._by,
                seconds=round(clock.monotonic() - begun, 3),
                **facts,
            )
