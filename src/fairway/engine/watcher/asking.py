"""Ask a front door once, as a visitor does. What comes back is somebody else's, so little of it is read."""

from __future__ import annotations

import socket
import ssl
import threading
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Callable
from urllib.parse import urlsplit

from fairway.engine.watcher.deciding import Answer

# The edge has requests wait for ten seconds while nothing is up: one that is served after that is served.
_PATIENCE_S = 12.0
_READ_BYTES = 4096
_SHOWN = 120


Asker = Callable[[str], Answer]


def ask(url: str, patience_s: float = _PATIENCE_S) -> Answer:
    """Ask once. Only a plain 200 is good; a redirect is an answer like another, and is not followed.

    The certificate is held against the system's own authorities. The whole of it may
    take ``patience_s``: a name that is looked up for minutes and an answer that drips
    byte by byte are left behind with their thread.
    """
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(_ask(url, patience_s)), daemon=True)
    thread.start()
    thread.join(patience_s)
    return answers[0] if answers else Answer(False, f"no answer within {patience_s:g} s")


def _ask(url: str, patience_s: float) -> Answer:
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection = _connection(parts.scheme, parts.netloc, patience_s)
    try:
        connection.request("GET", path, headers={"User-Agent": "fairway-watcher", "Connection": "close"})
        status = connection.getresponse()
        status.read(_READ_BYTES)
    except Exception as error:  # whatever an answer can break, it is no good answer
        return Answer(False, _why(error, patience_s))
    finally:
        connection.close()
    if status.status == 200:
        return Answer(True)
    moved = ", a redirect: the address may be another one" if 300 <= status.status < 400 else ""
    return Answer(False, f"answered {status.status}{moved}")


def _connection(scheme: str, place: str, patience_s: float) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(place, timeout=patience_s, context=ssl.create_default_context())
    return HTTPConnection(place, timeout=patience_s)


def _why(error: Exception, patience_s: float) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {str(error.verify_message)[:_SHOWN]}"
    if isinstance(error, ssl.SSLError):
        return "it speaks no TLS that is understood here"
    if isinstance(error, socket.timeout):  # TimeoutError from Python 3.10 on
        return f"no answer within {patience_s:g} s"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, HTTPException):
        return "what answered is no HTTP"
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)[:_SHOWN].lower()
    return f"no answer ({type(error).__name__})"
