"""Ask an error tracker over HTTP: its certificate checked, its answer bounded, no longer than a while.

A redirect is not followed: the token would go where it leads.
"""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from fairway.engine import clock
from fairway.engine.contract.errors import Failed
from fairway.engine.contract.tracker import Tracker

_ONE_WAIT_S = 10.0
_WHOLE_S = 20.0
_READ_BYTES = 65536
MAX_ANSWER_BYTES = 4 * 1024 * 1024


def ask(tracker: Tracker, path: str, token: str) -> bytes:
    """Return what the tracker answers. Raises ``Failed`` with why there is no answer, in words without the token."""
    # Anything else http.client would quote in the error it raises.
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Failed(f"the value of {tracker.token_key} is no token")
    deadline = clock.monotonic() + _WHOLE_S
    connection = _connection(tracker.url)
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "fairway",
    }
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Failed(_refused(answer.status, tracker))
        content = b""
        while piece := answer.read1(_READ_BYTES):
            content += piece
            if len(content) > MAX_ANSWER_BYTES:
                raise Failed(f"it answered more than {MAX_ANSWER_BYTES // 2**20} MiB")
            if clock.monotonic() > deadline:
                raise Failed(f"it did not finish its answer within {_WHOLE_S:.0f} s")
    except ssl.SSLCertVerificationError as error:
        raise Failed(f"its certificate is not trusted: {error.verify_message}") from None
    except socket.timeout:  # until Python 3.10 no TimeoutError
        raise Failed(f"it did not answer within {_ONE_WAIT_S:.0f} s") from None
    except OSError as error:
        raise Failed(f"it cannot be reached: {error.strerror or type(error).__name__}") from None
    except (HTTPException, ValueError) as error:
        raise Failed(f"it does not speak HTTP as it should: {type(error).__name__}") from None
    finally:
        connection.close()
    return content


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    assert parts.hostname is not None
    if parts.scheme == "http":
        return HTTPConnection(parts.hostname, parts.port, timeout=_ONE_WAIT_S)
    return HTTPSConnection(parts.hostname, parts.port, timeout=_ONE_WAIT_S, context=ssl.create_default_context())


def _refused(status: int, tracker: Tracker) -> str:
    if status in (401, 403):
        return f"it answered {status}: the token in {tracker.token_key} must be allowed to read issues (event:read)"
    if status == 404:
        return f"it answered 404: it has no project {tracker.organization}/{tracker.project} that the token may read"
    if status == 429:
        return "it answered 429: it is asked too often"
    if 300 <= status < 400:
        return f"it answered {status}: errors.url in fairway.toml must be its own address, nothing is followed"
    return f"it answered {status}"
