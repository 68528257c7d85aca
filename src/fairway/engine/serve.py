"""Answer a client's requests over standard input and output, one JSON line each."""

from __future__ import annotations

import os
import platform
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Callable

import fairway
from fairway.engine import docker
from fairway.engine.accept import Acceptance, Asked
from fairway.engine.access.guard import examine as examine_guard
from fairway.engine.access.ways import Way, copies_files, refuse_operation, refuse_other_command
from fairway.engine.contract.chain import check_chain
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.manifest import MAX_MANIFEST_LENGTH, bundle_path
from fairway.engine.contract.names import Repository, Tag, project_name
from fairway.engine.contract.protocol import (
    MAX_LINE_BYTES,
    PROTOCOL,
    Operation,
    Outcome,
    answer,
    encode,
    read_request,
)
from fairway.engine.contract.trust import Keys, Policy
from fairway.engine.deployment import deployment_id, take_evidence
from fairway.engine.doctor import examine
from fairway.engine.follow import follow
from fairway.engine.gate.hold import refuse_held
from fairway.engine.hostconfig import HostConfig, image_reference, read_host_config, read_owner
from fairway.engine.journal import latest_deployment
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.logs import stream_logs
from fairway.engine.notifications.spawning import telling
from fairway.engine.operations import Call, base64_bytes, environment_of
from fairway.engine.operations.table import ANSWERS
from fairway.engine.ownership import as_deploy_user
from fairway.engine.process import run
from fairway.engine.schema.look import open_schema
from fairway.engine.status import describe_host

_REASON = re.compile(r"[^\x00-\x1f\x7f]{0,499}[^\x00-\x20\x7f]")

Emit = Callable[[dict[str, Any]], None]


class ClientGone(BrokenPipeError):
    """Nobody reads the answers any more; the pipe of a program that ended early is another matter."""


class Server:
    """One client's connection, by one of the ways in."""

    def __init__(self, layout: Layout, source: BinaryIO, sink: BinaryIO, way: Way = Way.DEPLOY) -> None:
        self._layout = layout
        self._source = source
        self._sink = sink
        self._way = way

    def serve(self) -> None:
        """Answer requests until the client has no more. A request that fails does not end the connection."""
        while line := self._source.readline(MAX_LINE_BYTES + 2):
            try:
                self._emit(answer(self._answer(line)))
            except ClientGone:
                return  # what it started goes on

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            operation, args = read_request(line)
            refuse_operation(self._way, operation, guarded=lambda: examine_guard(self._layout).guarded)
            handler = _OPERATIONS.get(operation)
            value = handler(self, args) if handler else ANSWERS[operation](Call(self._layout, args, self._notice))
            return {"kind": "result", "value": value}
        except FairwayError as error:
            return {"kind": "error", "error": error.as_json()}
        except ClientGone:
            raise
        except Exception as error:
            traceback.print_exc()
            unknown = Failed(f"the engine met something it does not know: {type(error).__name__}")
            return {"kind": "error", "error": unknown.as_json()}

    def _emit(self, document: dict[str, Any]) -> None:
        try:
            self._sink.write(encode(document))
            self._sink.flush()
        except BrokenPipeError:
            raise ClientGone from None

    def _hello(self, args: Fields) -> dict[str, Any]:
        args.end()
        return {
            "engine": fairway.__version__,
            "protocol": PROTOCOL,
            "python": platform.python_version(),
            "configured": self._layout.host_config.exists(),
        }

    def _configure(self, args: Fields) -> dict[str, Any]:
        host = HostConfig.parse(args.object("host"))
        args.end()
        with as_deploy_user(self._layout):
            self._layout.create()
        if self._layout.host_config.exists():
            project, environment = read_owner(self._layout.host_config)
            if (project, environment) != (host.project, host.environment):
                raise Invalid(
                    f"this deploy path belongs to {project} ({environment})",
                    why=f"asked for was {host.project} ({host.environment})",
                    hint="give the environment a deploy_path of its own",
                )
        host.write(self._layout.host_config)
        # Only this operation and what signs need the key.
        from fairway.engine.gate.signing import make_evidence_key

        with as_deploy_user(self._layout):
            make_evidence_key(self._layout)
        from fairway.engine.notifications.teller import settle_receivers

        with as_deploy_user(self._layout):
            settle_receivers(self._layout, host)
        return {"configured": True}

    def _trust(self, args: Fields) -> dict[str, Any]:
        args.end()
        from fairway.engine.access.keeping import tell_trust

        return tell_trust(self._layout, self._host())

    def _set_trust(self, args: Fields) -> dict[str, Any]:
        by = args.text("by", max_length=200)
        policy = Policy.parse(args.object("policy")) if args.has("policy") else None
        keys = Keys.parse(args.object("keys")) if args.has("keys") else None
        renew = args.has("new_evidence_key") and args.boolean("new_evidence_key")
        args.end()
        from fairway.engine.access.keeping import set_trust

        return set_trust(self._layout, self._host(), by=by, policy=policy, keys=keys, new_evidence_key=renew)

    def _install_unit(self, args: Fields) -> dict[str, Any]:
        args.end()
        from fairway.engine.unit import offer

        return {"note": offer(self._layout, self._host())}

    def _login(self, args: Fields) -> dict[str, Any]:
        registry = args.parsed("registry", lambda text: Repository(text + "/x")).registry
        username, password = args.text("username", max_length=256), args.text("password", max_length=8192)
        args.end()
        if username.startswith("-"):
            raise Invalid("the registry user name starts with '-'")
        self._layout.create()
        env = docker.environment(self._layout.docker_config)
        done = run(docker.login(registry, username), env=env, stdin=password, timeout_s=60)
        if done.returncode != 0:
            raise Failed(
                f"the host cannot log in to {registry}",
                why=done.stderr.replace(password, "[redacted]").strip()[-500:],
                hint="check the user name and token of this environment, and that the host reaches the registry",
            )
        return {"registry": registry}

    def _deploy(self, args: Fields) -> dict[str, Any]:
        manifest = args.text("manifest", max_length=MAX_MANIFEST_LENGTH).encode()
        bundle = args.parsed("bundle", base64_bytes, max_length=MAX_LINE_BYTES)
        asked, planning = self._asked(args)
        accept = Acceptance(self._layout, self._host())
        if planning:
            return accept.plan_deploy(manifest, bundle, asked)
        return self._follow_to_end(accept.deploy(manifest, bundle, asked))

    def _rollback(self, args: Fields) -> dict[str, Any]:
        tag = args.parsed("tag", Tag) if args.has("tag") else None
        asked, planning = self._asked(args)
        accept = Acceptance(self._layout, self._host())
        return accept.plan_rollback(tag, asked) if planning else self._follow_to_end(accept.rollback(tag, asked))

    def _restart(self, args: Fields) -> dict[str, Any]:
        asked, planning = self._asked(args)
        accept = Acceptance(self._layout, self._host())
        return accept.plan_restart(asked) if planning else self._follow_to_end(accept.restart(asked))

    def _reconcile(self, args: Fields) -> dict[str, Any]:
        asked, planning = self._asked(args)
        accept = Acceptance(self._layout, self._host())
        return accept.plan_reconcile(asked) if planning else self._follow_to_end(accept.reconcile(asked))

    def _asked(self, args: Fields) -> tuple[Asked, bool]:
        """Take what every deployment is asked for with; the second value says that only a plan is wanted."""
        asked = Asked(
            by=args.text("by", max_length=200),
            notice=self._notice,
            wait_s=args.number("wait_s", maximum=86400) if args.has("wait_s") else 0.0,
            ticket=args.text("ticket", max_length=64) if args.has("ticket") else "",
            recreate=args.texts("recreate", max_items=100) if args.has("recreate") else (),
            evidence=take_evidence(args, "evidence") if args.has("evidence") else (),
            forced=args.matching("forced", _REASON, "a reason, in one line") if args.has("forced") else "",
        )
        planning = args.has("plan") and args.boolean("plan")
        args.end()
        return asked, planning

    def _cancel(self, args: Fields) -> dict[str, Any]:
        by = args.text("by", max_length=200)
        ticket = args.text("ticket", max_length=64) if args.has("ticket") else ""
        skip = args.integer("skip") if args.has("skip") else 0
        args.end()
        return self._follow_to_end(Acceptance(self._layout, self._host()).cancel(by=by, ticket=ticket), skip)

    def _follow(self, args: Fields) -> dict[str, Any]:
        named = args.parsed("deployment", deployment_id) if args.has("deployment") else None
        skip = args.integer("skip") if args.has("skip") else 0
        args.end()
        self._host()
        identity = named or latest_deployment(self._layout)
        if identity is None:
            raise Invalid("nothing was ever deployed to this host", hint="fairway deploy <environment> <tag>")
        return self._follow_to_end(identity, skip)

    def _follow_to_end(self, identity: str | None, skip: int = 0) -> dict[str, Any]:
        if identity is None:
            return {"outcome": Outcome.UNCHANGED.value}

        def hand_over(entry: dict[str, Any]) -> None:
            self._emit({"kind": "journal", "entry": entry})

        return follow(self._layout, identity, hand_over, skip=skip)

    def _status(self, args: Fields) -> dict[str, Any]:
        args.end()
        return describe_host(self._layout, self._host())

    def _history(self, args: Fields) -> dict[str, Any]:
        limit = args.integer("limit", minimum=1, maximum=1000)
        tag = args.text("tag", max_length=100) if args.has("tag") else ""
        args.end()
        self._host()
        return {"entries": Ledger(self._layout.ledger).newest(limit, tag)}

    def _ledger(self, args: Fields) -> dict[str, Any]:
        args.end()
        self._host()
        lines = self._emitted(Ledger(self._layout.ledger).lines())
        chain = check_chain(lines)
        for _ in lines:
            continue  # what follows a broken link is evidence, too
        return chain.as_json()

    def _emitted(self, lines: Iterator[dict[str, Any] | None]) -> Iterator[dict[str, Any] | None]:
        for entry in lines:
            self._emit({"kind": "entry", "entry": entry})
            yield entry

    def _prune(self, args: Fields) -> dict[str, Any]:
        from fairway.engine import housekeeping

        only_plan = args.boolean("plan")
        by = args.text("by", max_length=200)
        args.end()
        host = self._host()
        if only_plan:
            return housekeeping.plan(self._layout, host)
        return housekeeping.tidy(self._layout, host, by=by).as_json()

    def _logs(self, args: Fields) -> dict[str, Any]:
        service = args.text("service", max_length=64)
        tail = args.integer("tail", minimum=0, maximum=100_000)
        following = args.boolean("follow")
        args.end()
        host = self._host()
        stream_logs(
            self._layout,
            host,
            service,
            tail=tail,
            follow=following,
            on_line=lambda s: self._emit({"kind": "log", "line": s}),
        )
        return {}

    def _doctor(self, args: Fields) -> dict[str, Any]:
        registries = args.texts("registries", max_items=10)
        environment = environment_of(args)
        args.end()
        return {"checks": examine(self._layout, registries, environment)}

    def _edge_upgrade(self, args: Fields) -> dict[str, Any]:
        image = args.parsed("image", image_reference) if args.has("image") else None
        by = args.text("by", max_length=200)
        planning = args.boolean("plan")
        args.end()
        # A status or a rollback does not wait for what only this operation needs.
        from fairway.engine.instances.upgrade import plan_upgrade, upgrade_edge

        if planning:
            return plan_upgrade(self._layout, self._host(), image)

        def tell(event: dict[str, Any]) -> None:
            # A client that is gone does not stop what it began.
            with suppress(BrokenPipeError):
                self._emit(event)

        refuse_held(self._layout, self._host().environment)
        with telling(self._layout):
            return upgrade_edge(
                self._layout,
                self._host(),
                image,
                by=by,
                notice=lambda line: tell({"kind": "notice", "line": line}),
                tell=lambda entry: tell({"kind": "journal", "entry": entry}),
            )

    def _survey(self, args: Fields) -> dict[str, Any]:
        project = args.parsed("project", project_name)
        env_file = args.parsed("env_file", bundle_path)
        args.end()
        # Only this operation reads nginx's files; a rollback does not wait for what that takes.
        from fairway.engine.survey import survey

        return survey(self._layout, project, env_file)

    def _migrations(self, args: Fields) -> dict[str, Any]:
        args.end()
        host = self._host()
        return {"environment": host.environment, **open_schema(self._layout, host).of_serving()}

    def _lock(self, args: Fields) -> dict[str, Any]:
        reason = args.text("reason", max_length=500)
        asked, _ = self._asked(args)
        return {"locked": Acceptance(self._layout, self._host()).hold(reason, asked).as_json()}

    def _unlock(self, args: Fields) -> dict[str, Any]:
        asked, _ = self._asked(args)
        held = Acceptance(self._layout, self._host()).give_hold_up(asked)
        return {"was_locked": held.as_json() if held else None}

    def _host(self) -> HostConfig:
        return read_host_config(self._layout.host_config)

    def _notice(self, line: str) -> None:
        self._emit({"kind": "notice", "line": line})


# The others, which tell nothing but lines while they are at work, are in ANSWERS.
_OPERATIONS: dict[Operation, Callable[[Server, Fields], dict[str, Any]]] = {
    Operation.HELLO: Server._hello,
    Operation.CONFIGURE: Server._configure,
    Operation.INSTALL_UNIT: Server._install_unit,
    Operation.LOGIN: Server._login,
    Operation.DEPLOY: Server._deploy,
    Operation.ROLLBACK: Server._rollback,
    Operation.RESTART: Server._restart,
    Operation.RECONCILE: Server._reconcile,
    Operation.CANCEL: Server._cancel,
    Operation.FOLLOW: Server._follow,
    Operation.STATUS: Server._status,
    Operation.HISTORY: Server._history,
    Operation.LEDGER: Server._ledger,
    Operation.PRUNE: Server._prune,
    Operation.LOGS: Server._logs,
    Operation.DOCTOR: Server._doctor,
    Operation.EDGE_UPGRADE: Server._edge_upgrade,
    Operation.SURVEY: Server._survey,
    Operation.MIGRATIONS: Server._migrations,
    Operation.LOCK: Server._lock,
    Operation.UNLOCK: Server._unlock,
    Operation.TRUST: Server._trust,
    Operation.SET_TRUST: Server._set_trust,
}


def serve_standard_streams(layout: Layout, way: Way = Way.DEPLOY) -> None:
    """Serve the client at the other end of this process's standard streams."""
    Server(layout, sys.stdin.buffer, _sink(), way).serve()


def serve_ssh(layout: Layout, asked: str | None, way: Way = Way.DEPLOY) -> None:
    """Serve a client of sshd's, unless it ``asked`` for something else: it is then told so, in a line of the protocol.

    Raises the ``Refused`` that it was told, which goes to standard error in words.
    """
    terminal = sys.stdin.isatty() or sys.stdout.isatty()
    try:
        refuse_other_command(asked, _is_this_engine, terminal=terminal)
    except FairwayError as error:
        if not terminal and not copies_files(asked or ""):
            with suppress(BrokenPipeError):
                _sink().write(encode(answer({"kind": "error", "error": error.as_json()})))
        raise
    serve_standard_streams(layout, way)


def _is_this_engine(path: str) -> bool:
    # A deploy path may be reached by a link; both name the engine that is current.
    return os.path.realpath(path) == os.path.realpath(sys.argv[0])


def _sink() -> BinaryIO:
    """Return standard output, for the protocol alone: anything that prints by accident must not become part of it."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sink
