"""One connection to a host's engine: requests out, events and results back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from fairway.engine.contract.errors import Failed, FairwayError, Unreachable, error_from_json
from fairway.engine.contract.fields import parse_json
from fairway.engine.contract.protocol import MAX_LINE_BYTES, Operation, encode, request
from fairway.remote.transport import Transport

OnEvent = Callable[[dict[str, Any]], None]

_SSH_FAILED = 255
_NO_SUCH_COMMAND = 127
_MAX_STDERR_BYTES = 64 * 1024


class EngineSession:
    """Talks to the engine in a deploy path; closes the connection at the end of the ``with`` block.

    >>> with EngineSession(transport, "/opt/capakraken") as engine:
    ...     engine.call(Operation.STATUS)
    """

    def __init__(self, transport: Transport, deploy_path: str) -> None:
        self._transport = transport
        self._process = transport.start(["python3", "-I", f"{deploy_path}/.fairway/engine/current", "serve"])
        self._errors = bytearray()
        self._reader = threading.Thread(target=self._collect_errors, daemon=True)
        self._reader.start()

    def __enter__(self) -> EngineSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

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
        while True:
            document = self._read()
            kind = document.get("kind")
            if kind == "result" and isinstance(document.get("value"), dict):
                value: dict[str, Any] = document["value"]
                return value
            if kind == "error" and isinstance(document.get("error"), dict):
                raise error_from_json(document["error"])
            if on_event is not None:
                on_event(document)

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
        return explain_end(self._transport, code, self._errors.decode(errors="replace"))

    def _collect_errors(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        # ssh's control master keeps this pipe open, so it is read as it comes and never to its end.
        while chunk := stderr.read1(4096):  # type: ignore[attr-defined]
            if len(self._errors) < _MAX_STDERR_BYTES:
                self._errors += chunk


def explain_end(transport: Transport, code: int, errors: str) -> FairwayError:
    """Say in an operator's words why a host gave no answer."""
    said = errors.strip()[-800:]
    lowered = said.lower()
    if code == _NO_SUCH_COMMAND:
        return Failed(f"{transport.name} has no python3", why=said, hint="install python3 (3.9 or newer) on the host")
    if "can't open file" in lowered or "can't find '__main__'" in lowered:
        return Failed(
            f"{transport.name} has no engine yet",
            why=said,
            hint="prepare the host: fairway bootstrap <environment>",
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
        return "the host's key is not the known one: compare it with the operator before you accept it"
    if "could not resolve" in said:
        return "check the host's name in fairway.toml"
    if "no such identity" in said or "invalid format" in said or "error in libcrypto" in said:
        return "the SSH key cannot be read: check its file or the _SSH_KEY variable"
    if "refused" in said or "timed out" in said or "no route" in said:
        return "check that the host is up, and its address and port"
    return "a deployment the host has accepted goes on without you: fairway attach <environment>"
