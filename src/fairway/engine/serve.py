"""Answer a client's requests over standard input and output, one JSON line each."""

from __future__ import annotations

import base64
import binascii
import os
import platform
import sys
import traceback
from typing import Any, BinaryIO, Callable

import fairway
from fairway.engine import docker
from fairway.engine.accept import accept_deploy, accept_rollback
from fairway.engine.contract.errors import Failed, FairwayError, Invalid
from fairway.engine.contract.fields import Fields
from fairway.engine.contract.names import Repository, Tag
from fairway.engine.contract.protocol import (
    MAX_LINE_BYTES,
    PROTOCOL,
    Operation,
    Outcome,
    encode,
    read_request,
)
from fairway.engine.deployment import deployment_id
from fairway.engine.doctor import examine
from fairway.engine.follow import follow
from fairway.engine.hostconfig import HostConfig, read_host_config
from fairway.engine.journal import latest_deployment
from fairway.engine.layout import Layout
from fairway.engine.ledger import Ledger
from fairway.engine.logs import stream_logs
from fairway.engine.process import run
from fairway.engine.status import describe_host

Emit = Callable[[dict[str, Any]], None]


class Server:
    """One client's connection."""

    def __init__(self, layout: Layout, source: BinaryIO, sink: BinaryIO) -> None:
        self._layout = layout
        self._source = source
        self._sink = sink

    def serve(self) -> None:
        """Answer requests until the client has no more. A request that fails does not end the connection."""
        while line := self._source.readline(MAX_LINE_BYTES + 2):
            try:
                operation, args = read_request(line)
                value = _OPERATIONS[operation](self, args)
                self._emit({"kind": "result", "value": value})
            except FairwayError as error:
                self._emit({"kind": "error", "error": error.as_json()})
            except BrokenPipeError:
                return  # the client is gone; what it started goes on
            except Exception as error:
                traceback.print_exc()
                unknown = Failed(f"the engine met something it does not know: {type(error).__name__}")
                self._emit({"kind": "error", "error": unknown.as_json()})

    def _emit(self, document: dict[str, Any]) -> None:
        self._sink.write(encode(document))
        self._sink.flush()

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
        self._layout.create()
        if self._layout.host_config.exists():
            known = read_host_config(self._layout.host_config)
            if (known.project, known.environment) != (host.project, host.environment):
                raise Invalid(
                    f"this deploy path belongs to {known.project} ({known.environment})",
                    why=f"asked for was {host.project} ({host.environment})",
                    hint="give the environment a deploy_path of its own",
                )
        host.write(self._layout.host_config)
        return {"configured": True}

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
        manifest = args.text("manifest", max_length=1_000_000).encode()
        bundle = args.parsed("bundle", _base64, max_length=MAX_LINE_BYTES)
        by = args.text("by", max_length=200)
        args.end()
        identity = accept_deploy(self._layout, self._host(), manifest, bundle, by=by, notice=self._notice)
        return self._follow_to_end(identity)

    def _rollback(self, args: Fields) -> dict[str, Any]:
        tag = args.parsed("tag", Tag) if args.has("tag") else None
        by = args.text("by", max_length=200)
        args.end()
        identity = accept_rollback(self._layout, self._host(), tag, by=by, notice=self._notice)
        return self._follow_to_end(identity)

    def _follow(self, args: Fields) -> dict[str, Any]:
        named = args.parsed("deployment", deployment_id) if args.has("deployment") else None
        args.end()
        self._host()
        identity = named or latest_deployment(self._layout)
        if identity is None:
            raise Invalid("nothing was ever deployed to this host", hint="fairway deploy <environment> <tag>")
        return self._follow_to_end(identity)

    def _follow_to_end(self, identity: str | None) -> dict[str, Any]:
        if identity is None:
            return {"outcome": Outcome.UNCHANGED.value}
        return follow(self._layout, identity, lambda entry: self._emit({"kind": "journal", "entry": entry}))

    def _status(self, args: Fields) -> dict[str, Any]:
        args.end()
        return describe_host(self._layout, self._host())

    def _history(self, args: Fields) -> dict[str, Any]:
        limit = args.integer("limit", minimum=1, maximum=100_000)
        args.end()
        self._host()
        return {"entries": Ledger(self._layout.ledger).entries()[-limit:]}

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
        env_file = args.text("env_file", max_length=255)
        required = args.texts("required")
        args.end()
        return {"checks": examine(self._layout, registries, env_file, required)}

    def _host(self) -> HostConfig:
        return read_host_config(self._layout.host_config)

    def _notice(self, line: str) -> None:
        self._emit({"kind": "notice", "line": line})


_OPERATIONS: dict[Operation, Callable[[Server, Fields], dict[str, Any]]] = {
    Operation.HELLO: Server._hello,
    Operation.CONFIGURE: Server._configure,
    Operation.LOGIN: Server._login,
    Operation.DEPLOY: Server._deploy,
    Operation.ROLLBACK: Server._rollback,
    Operation.FOLLOW: Server._follow,
    Operation.STATUS: Server._status,
    Operation.HISTORY: Server._history,
    Operation.LOGS: Server._logs,
    Operation.DOCTOR: Server._doctor,
}


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("not base64") from None


def serve_standard_streams(layout: Layout) -> None:
    """Serve the client at the other end of this process's standard streams."""
    # Anything that prints by accident must not become part of the protocol.
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    Server(layout, sys.stdin.buffer, sink).serve()
