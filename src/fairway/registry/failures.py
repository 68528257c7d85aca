"""What went wrong between this machine and a registry, in words, with the next step.

The text a registry sends is shown only as far as it is printable and short.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator

import httpx

from fairway.engine.contract.errors import Failed, FairwayError, Unreachable

_TOLD = ("error_description", "details", "message", "error")
# What else it may be where the answer is the same.
_RIGHTS = {
    "ghcr.io": " (read:packages, and write:packages to push). GHCR answers like this, too, when there is no such "
    "package yet, and to a workflow that the package's settings (Manage Actions access) do not list",
}


class Transient(Exception):
    """A failure that may be over by the next attempt; ``error`` is what it becomes if not."""

    def __init__(self, error: FairwayError, wait_s: float | None = None) -> None:
        super().__init__(error.what)
        self.error = error
        self.wait_s = wait_s


class NotTls(Exception):
    """The other side does not speak TLS at all."""


class NotTaken(Failed):
    """The registry does not take what was sent, in the form it was sent; another form may do."""


def printable(text: str, limit: int = 200) -> str:
    """Return text from elsewhere fit for a terminal and an error message."""
    return re.sub(r"[^\x20-\x7e\u00a0-\uffff]+", " ", text).strip()[:limit]


def transport_failure(error: httpx.HTTPError | httpx.InvalidURL, host: str) -> Exception:
    """Translate what the HTTP library raised into ``Transient``, ``NotTls`` or a final error."""
    causes = list(_causes(error))
    what = f"the registry {host} cannot be reached"
    again = f"see whether it is up and this network reaches it: curl https://{host}/v2/"
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(
                f"the registry {host} has a certificate that is not trusted",
                why=printable(cause.verify_message or str(cause)),
                hint=f"put its authority in /etc/docker/certs.d/{host}/ca.crt, or name it in SSL_CERT_FILE",
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in (
            "WRONG_VERSION_NUMBER",
            "RECORD_LAYER_FAILURE",
        ):
            return NotTls()
        if isinstance(cause, socket.gaierror):
            unknown = Unreachable(
                f"the name {host.partition(':')[0]} is not known",
                why=printable(str(cause.strerror)),
                hint="see the name in fairway.toml, and this machine's DNS",
            )
            return unknown if cause.errno == socket.EAI_NONAME else Transient(unknown)
        if isinstance(cause, ConnectionRefusedError):
            return Transient(Unreachable(what, why="the connection was refused: nothing listens there", hint=again))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Transient(Unreachable(what, why=f"TLS: {printable(str(causes[-1]))}", hint=again))
    if isinstance(error, httpx.TimeoutException):
        return Transient(Unreachable(what, why="it did not answer in time", hint=again))
    if isinstance(error, httpx.ProxyError):
        return Transient(
            Unreachable(what, why=f"the proxy refused: {printable(str(error))}", hint="see HTTPS_PROXY and NO_PROXY")
        )
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Failed(f"the registry {host} sent an address that cannot be used")
    return Transient(Unreachable(what, why=printable(str(error)) or type(error).__name__, hint=again))


def _causes(error: BaseException) -> Iterator[BaseException]:
    step: BaseException | None = error
    for _ in range(10):
        if step is None:
            return
        yield step
        step = step.__cause__ or step.__context__


def status_failure(status: int, body: bytes, *, registry: str, action: str, logged_in: bool) -> FairwayError:
    """Say what a refusing answer means. ``action`` completes "to ...": "push to acme/app"."""
    why = "; ".join(part for part in (f"it answered {status}", _errors_of(body)) if part)
    login = f"docker login {registry}"
    if status == 401 and logged_in:
        return Failed(f"the registry {registry} did not accept the login to {action}", why=why, hint=login)
    if status == 401:
        return Failed(f"the registry {registry} wants a login to {action}", why=why, hint=login)
    if status == 403:
        who = "this login" if logged_in else "anyone without a login"
        return Failed(
            f"the registry {registry} does not allow {who} to {action}",
            why=why,
            hint=f"{login}, with a user or token that has that right" + _RIGHTS.get(registry, ""),
        )
    if status == 404:
        return NotTaken(
            f"the registry {registry} has not what is needed to {action}",
            why=why,
            hint="see the names under images in fairway.toml; some registries, like Amazon ECR, "
            "want a repository made before the first push",
        )
    if status == 413:
        return Failed(
            f"the registry {registry} takes nothing so large, to {action}",
            why=why,
            hint="raise the limit of the proxy in front of it",
        )
    if status == 429:
        return Failed(
            f"the registry {registry} allows no more requests for now, to {action}",
            why=why,
            hint=f"wait, or log in for a higher limit: {login}",
        )
    if status >= 500:
        return Failed(f"the registry {registry} failed to {action}", why=why, hint="try again; its log says more")
    return NotTaken(f"the registry {registry} gave an unexpected answer to {action}", why=why)


def _errors_of(body: bytes) -> str:
    """Return what a registry's or token server's error document says, as far as it is one."""
    try:
        document = json.loads(body)
        if "errors" in document:
            parts = [f"{entry['code']}: {entry.get('message', '')}" for entry in document["errors"][:3]]
        else:  # a token server's: RFC 6749's, or Docker Hub's own
            parts = [document[key] for key in _TOLD if isinstance(document.get(key), str)][:1]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""
    return printable(", ".join(parts))
