"""One connection to a host's engine: requests out, events and results back."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from fairway.engine.contract.errors import Failed, FairwayError, Unreachable, error_from_json
from fairway.engine.contract.fields import parse_json
from fairway.engine.contract.protocol import MAX_LINE_BYTES, EventKind, Operation, Outcome, encode, request
from fairway.remote.transport import Transport
from fairway.remote.versions import PLACEHOLDER, explain, name_environment, passed_over, unknown_outcome

OnEvent = Callable[[dict[str, Any]], None]

_EVENTS = frozenset(kind.value for kind in EventKind)
_OUTCOMES = frozenset(outcome.value for outcome in Outcome)
_SSH_FAILED = 255
_NO_SUCH_COMMAND = 127
_MAX_STDERR_BYTES = 64 * 1024


class EngineMissing(Failed):
    """The host was never prepared."""


class EngineSession:
    """Talks to the engine in a deploy path; closes the connection at the end of the ``with`` block.

    >>> with EngineSession(transport, "/opt/capakraken") as engine:
    ...     engine.call(Operation.STATUS)
    """

    #: The engine's command that is spoken to.
    _command = "serve"

    def __init__(self, transport: Transport, deploy_path: str, environment: str = PLACEHOLDER) -> None:
        #: What the engine said it is of, once it has answered; None when it said nothing.
        self.engine_version: object = None
        self._environment = environment
        self._transport = transport
        self._process = self._start(transport, deploy_path)
        self._errors = bytearray()
        self._reader = threading.Thread(target=self._collect_errors, daemon=True)
        self._reader.start()

    def __enter__(self) -> EngineSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ended(self) -> bool:
        """Whether the connection is gone, so that nothing more can be asked over it."""
        return self._process.poll() is not None

    def call(self, operation: Operation, on_event: OnEvent | None = None, **args: Any) -> dict[str, Any]:
        """Send one request, hand over each event, and return the result.

        Raises what the engine reported, or ``Unreachable`` when the connection
        ended before it answered.
        """
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(encode(request(operation, **args)))
            stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        foreign: set[str] = set()
        while True:
            document = self._read()
            kind = document.get("kind")
            if kind in ("result", "error"):
                self.engine_version = document.get("engine")
                note = passed_over(foreign, self.engine_version)
                if note and on_event is not None:
                    on_event({"kind": EventKind.NOTICE.value, "line": note})
            if kind == "result" and isinstance(document.get("value"), dict):
                return self._checked(document["value"])
            if kind == "error" and isinstance(document.get("error"), dict):
                raise explain(error_from_json(document["error"]), self.engine_version, self._environment)
            if kind not in _EVENTS:
                foreign.add(str(kind))
            elif on_event is not None:
                on_event(document)

    def _start(self, transport: Transport, deploy_path: str) -> subprocess.Popen[bytes]:
        return transport.start(["python3", "-I", f"{deploy_path}/.fairway/engine/current", self._command])

    def _checked(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return a result whose outcome, where it has one, is known here."""
        if isinstance(value.get("error"), dict):
            error = error_from_json(value["error"])
            value["error"] = {**value["error"], **name_environment(error, self._environment).as_json()}
        if "outcome" in value and value["outcome"] not in _OUTCOMES:
            raise unknown_outcome(value, self.engine_version, self._environment)
        return value

    def close(self) -> None:
        """End the connection. What the engine has accepted goes on."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        self._reader.join(timeout=1)

    def abort(self) -> None:
        """End the connection under whoever waits for an answer, from another thread; close it after that."""
        if self._process.poll() is None:
            self._process.terminate()

    def _read(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        line = stdout.readline(MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise self._ended()
        document = parse_json(line, f"the answer of {self._transport.name}")
        if not isinstance(document, dict):
            raise Failed(f"{self._transport.name} gave an answer that is not one of Fairway's")
        return document

    def _ended(self) -> FairwayError:
        code = self._process.wait()
        self._reader.join(timeout=2)
        error = explain_end(self._transport, code, self._errors.decode(errors="replace"))
        return name_environment(error, self._environment)

    def _collect_errors(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        # ssh's control master keeps this pipe open, so it is read as it comes and never to its end.
        while chunk := stderr.read1(4096):  # type: ignore[attr-defined]
            if len(self._errors) < _MAX_STDERR_BYTES:
                self._errors += chunk


class AdminSession(EngineSession):
    """Talks to the engine as the administrator, who keeps it, its policy and the keys; it deploys nothing."""

    _command = "admin"


class UpkeepSession(EngineSession):
    """Talks to the engine as the deploy user an administrator has become, about what data can be lost by."""

    _command = "upkeep"


def explain_end(transport: Transport, code: int, errors: str) -> FairwayError:
    """Say in an operator's words why a host gave no answer."""
    said = errors.strip()[-800:]
    lowered = said.lower()
    if code == _NO_SUCH_COMMAND:
        return Failed(f"{transport.name} has no python3", why=said, hint="install python3 (3.9 or newer) on the host")
    if "can't open file" in lowered or "can't find '__main__'" in lowered:
        return EngineMissing(
            f"{transport.name} has no engine yet",
            why=said,
            hint="prepare the host: fairway bootstrap <environment>",
        )
    if "sudo:" in lowered:
        return Failed(
            f"{transport.name} does not let the administrator be root",
            why=said,
            hint="let them run python3 by sudo without a password, or set admin to root in fairway.toml",
        )
    if code != _SSH_FAILED:
        return Failed(f"the engine on {transport.name} ended without an answer (exit code {code})", why=said)
    return Unreachable(
        f"{transport.name} cannot be reached", why=said or "the connection was lost", hint=_ssh_hint(lowered)
    )


def _ssh_hint(said: str) -> str:
    if "permission denied" in said or "too many authentication" in said:
        return "the host refused the key: check the user, and that its authorized_keys has your key"
    if "host key verification failed" in said or "identification has changed" in said:
        return (
            "the host's key is not the known one: compare it with the operator before you accept it"
            " (known_hosts of the environment in fairway.toml, or your own)"
        )
    if "could not resolve" in said:
        return "check the host's name in fairway.toml"
    if "no such identity" in said or "invalid format" in said or "error in libcrypto" in said:
        return "the SSH key cannot be read: check its file or the _SSH_KEY variable"
    if "refused" in said or "timed out" in said or "no route" in said:
        return "check that the host is up, and its address and port"
    return "a deployment the host has accepted goes on without you: fairway attach <environment>"
